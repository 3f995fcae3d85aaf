"""The tables of a study: what was reached, beside what is known of each task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from agents.held_out import floor_kind
from experiments.errors import UserError
from experiments.statistics import interval, iqm
from experiments.studies import Row, read_study
from popjax import make, scores


def print_study(folder: Path, console: Console) -> None:
    """Prints a table of a study's agents, one of its language models, or both."""
    rows = read_study(folder)
    if not rows:
        raise UserError(f"no cell of {folder} is finished yet")
    agents = [row for row in rows if row.final is not None]
    models = [row for row in rows if row.tokens is not None]
    if agents:
        print_agents(folder.name, agents, console)
    if models:
        print_models(folder.name, models, console)


def print_agents(study: str, rows: list[Row], console: Console) -> None:
    """Returns, beside what is known of each task, and their aggregate over environments."""
    table = Table(
        title=f"{study}: mean return over seeds (spread: standard deviation)",
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
    for memory, regime in sorted({(row.spec.memory, row.spec.regime) for row in rows}):
        strata = [
            scores.normalise(row.spec.env, row.final)
            for row in rows
            if (row.spec.memory, row.spec.regime) == (memory, regime)
            and np.isfinite(row.final).all()
        ]
        if not strata:
            continue
        low, high = interval(strata)
        console.print(
            f"{_who(memory, regime)}: normalised final return, interquartile mean over "
            f"{len(strata)} environments {iqm(np.concatenate(strata)):.3f} "
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
    return _common(row) | {
        "final": _spread(row.final),
        "greedy": f"{np.mean(row.greedy):.3f}",
        "MMER": f"{np.mean(row.mmer):.3f}",
        "normalised": f"{np.mean(scores.normalise(row.spec.env, row.final)):.2f}",
        **{column: _known(known, kind) for column, kind in KNOWN.items()},
    }


def _common(row: Row) -> dict[str, str]:
    lost = len(row.summary["diverged"])
    speed = row.summary["steps_per_second"]
    return {
        "environment": row.spec.env,
        "memory": _who(row.spec.memory, row.spec.regime) + (f" ({lost} diverged)" if lost else ""),
        "steps/seed": f"{row.spec.env_steps / len(row.spec.seeds) / 1e6:.2f}M",
        "steps/s": f"{speed / 1e3:.1f}k" if speed else "",
    }


def print_models(study: str, rows: list[Row], console: Console) -> None:
    """Nats a token on held-out episodes, beside the floor on the very same ones."""
    table = Table(
        title=f"{study}: nats a token on held-out episodes, mean over seeds",
        caption="excess: over the floor on the same episodes (spread: standard deviation over "
        "seeds; s.e.: over episodes). exact: the floor is the true law's.\nbound: a good "
        "predictor's, and the true floor lies at or below it. right: the likeliest token came.",
        caption_justify="left",
    )
    for name in MODEL_COLUMNS:
        words = name in ("environment", "memory", "kind")
        table.add_column(name, justify="left" if words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(_model_cells(row)[name] for name in MODEL_COLUMNS))
    console.print(table)


MODEL_COLUMNS = (
    *("environment", "memory", "nats/token", "floor", "kind", "excess", "s.e.", "right"),
    *("steps/seed", "steps/s"),
)


def _model_cells(row: Row) -> dict[str, str]:
    column = {name: np.array([seed[name] for seed in row.tokens]) for name in row.tokens[0]}
    error = np.sqrt(np.sum(column["excess_error"] ** 2)) / len(row.tokens)
    return _common(row) | {
        "nats/token": f"{column['nats'].mean():.4f}",
        "floor": f"{column['floor'].mean():.4f}",
        "kind": floor_kind(make(row.spec.env)),
        "excess": _spread(column["excess"], 4),
        "s.e.": f"{error:.4f}",
        "right": f"{100 * column['accuracy'].mean():.1f} %",
    }


def _who(memory: str, regime: str) -> str:
    return memory if regime == "ppo" else f"{memory} as {regime}"


def _known(known: dict[str, Any], kind: str) -> str:
    return f"{known[kind]['mean']:.3f}" if known.get(kind) else ""


def _spread(values: np.ndarray, digits: int = 3) -> str:
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if values.size > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"
