"""The table of a study: what was reached, beside what is known of each task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.errors import UserError
from experiments.results import Cell
from experiments.specs import CellSpec, NetworkConfig, Settings
from experiments.statistics import interval, iqm
from popjax import scores


@dataclass(frozen=True)
class Row:
    """One finished cell, one number a seed.

    final, greedy: mean return of the last policy, sampling or taking the likeliest action.
    mmer: the best mean return over training, the paper's metric (it is optimistic).
    """

    spec: CellSpec
    final: np.ndarray
    greedy: np.ndarray
    mmer: np.ndarray
    summary: dict[str, Any]


def read_study(folder: Path) -> list[Row]:
    """All finished cells of a study, in order of environment and memory."""
    if not (folder / "study.json").exists():
        raise UserError(f"there is no study in {folder}: run popjax sweep first")
    rows = []
    for path in sorted(folder.glob("*/metrics.parquet")):
        spec = read_spec(path.parent)
        cell = Cell(folder, spec)
        if cell.folder != path.parent:
            raise UserError(f"{path.parent} holds another spec than its name says: remove it")
        metrics, evaluation, summary = cell.read()
        rows.append(
            Row(
                spec,
                final=_by_seed(spec, evaluation, evaluation["policy"] == "sampled"),
                greedy=_by_seed(spec, evaluation, evaluation["policy"] == "greedy"),
                mmer=np.array([_best(metrics, seed) for seed in spec.seeds]),
                summary=summary,
            )
        )
    return rows


def read_spec(folder: Path) -> CellSpec:
    """The spec stored in a cell's folder."""
    from agents.ppo import PPOConfig

    try:
        plain = json.loads((folder / "spec.json").read_text())["spec"]
        settings = plain.pop("settings")
        settings["network"] = NetworkConfig(**settings["network"])
        settings["ppo"] = PPOConfig(**settings["ppo"])
        settings["hyperparams"] = {k: float(v) for k, v in settings["hyperparams"].items()}
        return CellSpec(**plain, settings=Settings(**settings))
    except (OSError, json.JSONDecodeError, KeyError, TypeError, ValueError):
        raise UserError(f"{folder / 'spec.json'} is missing or damaged: remove {folder}") from None


def _by_seed(spec: CellSpec, evaluation: dict[str, np.ndarray], chosen: np.ndarray) -> np.ndarray:
    returns, seeds = evaluation["return"][chosen], evaluation["seed"][chosen]
    return np.array([returns[seeds == seed].mean() for seed in spec.seeds])


def _best(metrics: dict[str, np.ndarray], seed: int) -> float:
    returns = metrics["return"][metrics["seed"] == seed]
    returns = returns[np.isfinite(returns)]
    return float(returns.max()) if returns.size else float("nan")


def print_study(folder: Path, console: Console) -> None:
    """Prints the table of a study and its aggregate over environments."""
    rows = read_study(folder)
    if not rows:
        raise UserError(f"no cell of {folder} is finished yet")
    table = Table(
        title=f"{folder.name}: mean return over seeds (spread: standard deviation)",
        caption="final: sampled last policy on fresh episodes. MMER: best mean return during "
        "training, the paper's metric.\nnormalised: 0 = best policy without memory, 1 = reference "
        "player. Published figures: popjax/scores.json names the source of each.",
        caption_justify="left",
    )
    columns = [name for name in COLUMNS if console.width >= WIDE or name in NARROW]
    for name in columns:
        words = name in ("environment", "memory")
        style = "dim" if name in KNOWN else None
        table.add_column(name, justify="left" if words else "right", no_wrap=True, style=style)
    for row in rows:
        cells = _cells(row)
        table.add_row(*(cells[name] for name in columns))
    console.print(table)
    for memory in sorted({row.spec.memory for row in rows}):
        strata = [
            scores.normalise(row.spec.env, row.final)
            for row in rows
            if row.spec.memory == memory and np.isfinite(row.final).all()
        ]
        if not strata:
            continue
        low, high = interval(strata)
        console.print(
            f"{memory}: normalised final return, interquartile mean over {len(strata)} "
            f"environments {iqm(np.concatenate(strata)):.3f} "
            f"(95 % stratified bootstrap {low:.3f} to {high:.3f})"
        )


KNOWN = {  # column: kind of score in `popjax.scores`
    "random": "random",
    "memoryless": "memoryless",
    "reference": "reference",
    "paper GRU": "paper_gru",
    "paper best": "paper_best",
}
OURS = ("final", "greedy", "MMER", "normalised", "steps/seed", "steps/s")
COLUMNS = ("environment", "memory", *OURS, *KNOWN)
WIDE = 150
NARROW = ("environment", "memory", "final", "normalised", "reference", "paper GRU")


def _cells(row: Row) -> dict[str, str]:
    """The words of one line of the table, by column."""
    known = scores.scores(row.spec.env)
    lost = len(row.summary["diverged"])
    speed = row.summary["steps_per_second"]
    return {
        "environment": row.spec.env,
        "memory": row.spec.memory + (f" ({lost} diverged)" if lost else ""),
        "final": _spread(row.final),
        "greedy": f"{np.mean(row.greedy):.3f}",
        "MMER": f"{np.mean(row.mmer):.3f}",
        "normalised": f"{np.mean(scores.normalise(row.spec.env, row.final)):.2f}",
        "steps/seed": f"{row.spec.env_steps / len(row.spec.seeds) / 1e6:.2f}M",
        "steps/s": f"{speed / 1e3:.1f}k" if speed else "",
        **{column: _known(known, kind) for column, kind in KNOWN.items()},
    }


def _known(known: dict[str, Any], kind: str) -> str:
    return f"{known[kind]['mean']:.3f}" if known.get(kind) else ""


def _spread(values: np.ndarray) -> str:
    spread = f" ± {np.std(values, ddof=1):.3f}" if values.size > 1 else ""
    return f"{np.mean(values):.3f}{spread}"
