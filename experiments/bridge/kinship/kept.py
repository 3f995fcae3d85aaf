"""The finished cells of the full table, versioned with the code: per cell one table of measures,
one record of the run, and one seed's weights of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.bridge.kinship.networks import Networks
from experiments.bridge.kinship.verdict import Verdict, record, verdict
from experiments.results.files import Table, read_json, read_parquet, write_json, write_parquet

FOLDER = Path(__file__).with_name("kept")


def keep(
    env: str, memory: str, table: Table, spec: dict[str, Any], nets: Networks, folder: Path = FOLDER
) -> None:
    """Writes a finished cell, replacing an earlier one."""
    folder.mkdir(exist_ok=True)
    stem = f"{env}-{memory}"
    write_parquet(folder / f"{stem}.parquet", table)
    weights = {}
    for kind in ("agent", "model"):
        params = jax.tree.map(lambda leaf: np.asarray(leaf[0]), nets.params[kind]["params"])
        params = {name: part for name, part in params.items() if name not in ("critic", "value")}
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            name = "/".join(str(key.key) for key in path)
            weights[f"{kind}/{name}"] = leaf.astype(np.float16)
    np.savez_compressed(folder / f"{stem}.npz", **weights)
    write_json(folder / f"{stem}.json", spec)


def cells(folder: Path = FOLDER) -> Iterator[tuple[str, str, Table, dict[str, Any]]]:
    """Environment, memory, measures and record of each kept cell."""
    for path in sorted(folder.glob("*.json")):
        spec = read_json(path, cure="restore this file")
        yield (
            spec["env"],
            spec["memory"],
            read_parquet(path.with_suffix(".parquet"), cure="restore this file"),
            spec,
        )


def verdicts(folder: Path = FOLDER) -> dict[tuple[str, str], Verdict]:
    """The verdicts of the kept cells."""
    return {(env, memory): verdict(env, memory, table) for env, memory, table, _ in cells(folder)}


def records(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """The verdicts of the kept cells as plain data."""
    return [
        record(verdict(env, memory, table), table, spec)
        for env, memory, table, spec in cells(folder)
    ]
