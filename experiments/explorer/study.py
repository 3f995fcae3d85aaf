"""From studies to the page: tables, the pairs of networks in them, and recordings of these."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console

from agents.held_out import floor_kind
from experiments.explorer import page
from experiments.explorer.forgetting import forgetting
from experiments.explorer.models import STUDY, study_cells
from experiments.explorer.networks import keep, shipped_pair, with_networks
from experiments.explorer.pairs import Pair, pair_of
from experiments.explorer.readings import readings
from experiments.explorer.record import record
from experiments.reports.tables import agent_notes, model_notes
from experiments.results.files import read_json, write_atomically
from experiments.results.spec import id_of
from experiments.results.store import Cell, open_study
from experiments.results.study import Row, read_study
from experiments.results.tables import Spread
from experiments.sweep.run import run_cells
from popjax import ENVS

SEED, POINTS = 1, 60  # of the episodes that are shown; of a learning curve


def table_of(study: str, rows: Iterable[Row]) -> dict[str, Any]:
    """The finished cells of a study, with what they reached and how they learned."""
    return {"name": study, "cells": [_line(row) for row in rows]}


def cell_of(folder: Path, row: Row) -> Cell:
    """The cell of a row, in the folder named by the spec as it was then: it may lack settings that
    came later."""
    cell = Cell(folder, row.spec)
    cell.folder = folder / id_of(row.record["spec"])
    cell.checkpoints = cell.folder / "checkpoint"
    return cell


def _line(row: Row) -> dict[str, Any]:
    spec, metrics = row.spec, row.metrics
    measure = "return" if "return" in metrics else "nats" if "nats" in metrics else "loss"
    if row.final is not None:
        result, notes = f"return {Spread.of(row.final).mean:.3f}", agent_notes([row])
    else:
        both = ([seed[name] for seed in row.tokens] for name in ("nats", "floor"))
        nats, floor = (Spread.of(values).mean for values in both)
        most = "" if floor_kind(ENVS[spec.env]) == "exact" else "at most "
        beside = f", floor {most}{floor:.4f}" if np.isfinite(floor) else ""
        result, notes = f"{nats:.4f} nats a token{beside}", model_notes([row])
    result += "".join(f" ({note.rstrip('.')})" for note in notes)
    return {
        "env": spec.env,
        "memory": spec.memory,
        "regime": spec.regime,
        "seeds": len(spec.seeds),
        "steps": spec.num_updates * spec.steps_per_update,
        "result": result,
        "measure": measure,
        "curve": _curve(metrics, measure),
    }


def _curve(metrics: dict[str, np.ndarray], measure: str) -> list[list[float]]:
    """`[step, value, seed]`, at most `POINTS` of each seed, each the mean of a stretch."""
    points = []
    for seed in np.unique(metrics["seed"]):
        own = (metrics["seed"] == seed) & np.isfinite(metrics[measure])
        steps, values = metrics["step"][own], metrics[measure][own]
        parts = [part for part in np.array_split(np.arange(len(steps)), POINTS) if part.size]
        points += [
            [int(steps[part[-1]]), round(float(values[part].mean()), 5), int(seed)]
            for part in parts
        ]
    return points


Pairs = Mapping[str, Callable[[], Pair]]
"""What reads the trained pair of each environment that has one."""


def shipped_pairs() -> Pairs:
    """Those that come with the package."""
    return {name: partial(shipped_pair, name) for name in with_networks()}


def pairs_in(folder: Path) -> Pairs:
    """The agent and the language model of each environment that a study has trained both of, with
    one memory at one width; the first such memory."""
    agents, models = {}, {}
    for row in read_study(folder):
        size = row.spec.settings.network
        key = row.spec.env, row.spec.memory, size.features, size.num_layers
        kept = {"ppo": agents, "lm": models}.get(row.spec.regime, {})
        kept.setdefault(key, cell_of(folder, row))
    found: dict[str, Callable[[], Pair]] = {}
    for key in agents.keys() & models.keys():
        found.setdefault(key[0], partial(pair_of, agents[key], models[key]))
    return found


def recorded(env_id: str, pair: Pair | None, seed: int = SEED) -> dict[str, Any]:
    """An episode with the readings of both states along it, where there are any."""
    episode, episodes = record(env_id, seed, pair)
    read = readings(pair, episodes, jax.random.key(SEED + 1)) if pair else []
    return episode | {"readings": read}


def recordings(
    names: Iterable[str], pairs: Pairs, console: Console, seed: int = SEED
) -> dict[str, str]:
    """Packed recordings by id, of trained pairs where there are some, else of reference players."""
    found = {}
    for name in names:
        pair = pairs[name]() if name in pairs else None
        found[name] = page.pack(recorded(name, pair, seed))
        player = "a trained pair" if pair else "the reference player"
        size = len(found[name]) / 1000
        console.print(f"recorded {name}: {player}, {size:.0f} kB", highlight=False)
        jax.clear_caches()  # programs of hundreds of players would fill the memory
    return found


def forgotten(names: Iterable[str], pairs: Pairs, console: Console) -> dict[str, Any]:
    """The forgetting curves of the trained pairs among the names, where there are such, by id."""
    found = {}
    for name in [name for name in names if name in pairs]:
        curves = forgetting(name, pairs[name](), jax.random.key(SEED + 2))
        if curves:
            found[name] = curves
            console.print(f"asked what {name}'s pair forgets", highlight=False)
        jax.clear_caches()
    return found


def record_shipped(out: Path, names: Iterable[str], console: Console, train: bool = True) -> Path:
    """Trains what the page ships with, records it, and puts both into the package's files.

    names: these environments alone; the networks and recordings of others are kept.
    train: else the networks that ship are recorded as they are.
    """
    names = list(names) or list(ENVS)
    if train:
        _train_shipped(out, names, console)
    pairs = shipped_pairs()
    _put(page.EPISODES, recordings(names, pairs, console))
    _put(page.FORGETTING, forgotten(names, pairs, console))
    page.shipped.cache_clear()
    page.shipped_forgetting.cache_clear()
    return page.EPISODES


def _train_shipped(out: Path, names: list[str], console: Console) -> None:
    folder = open_study(out, STUDY, {"kind": "explorer"})
    outcomes = run_cells(folder, [spec for spec in study_cells() if spec.env in names], console)
    if "failed" in outcomes:
        console.print("what failed is recorded without networks; run it again to go on")
    for name, read in pairs_in(folder).items():
        if name in names:
            keep(name, read())


def _put(path: Path, fresh: Mapping[str, Any]) -> None:
    """Into a file of one line an environment, keeping those of others."""
    kept = read_json(path) if path.exists() else {}
    table = kept | fresh
    lines = [json.dumps({name: table[name]})[1:-1] for name in ENVS if name in table]
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())
