"""What each cell of a study reached, beside what is known of its task, and what it cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from agents.held_out import floor_kind
from experiments.reports.sheets import Column, Sheet, Spread
from experiments.studies import Row, labels
from popjax import make, scores

KNOWN = {  # column: kind of score in `popjax.scores`
    "random": "random",
    "memoryless": "memoryless",
    "reference": "reference",
    "paper GRU": "paper_gru",
    "paper best": "paper_best",
}
AGENT_COLUMNS = (
    Column("environment"),
    Column("memory"),
    Column("final", 3, "mean return of the last policy, sampled, on fresh episodes"),
    Column("greedy", 3, "the same policy taking its likeliest action", wide=True),
    Column("MMER", 3, "best mean return during training, the paper's metric", wide=True),
    Column("normalised", 2, "0: best policy without memory; 1: reference player"),
    Column("steps/seed", 0, "environment steps of each seed", wide=True),
    Column("steps/s", 0, "environment steps a second, all seeds together", wide=True),
    Column("random", 3, "uniform play", known=True, wide=True),
    Column("memoryless", 3, "best policy known without memory", known=True, wide=True),
    Column("reference", 3, "a scripted player that remembers", known=True),
    Column("paper GRU", 3, "POPGym paper, 15M steps, maximum over training", known=True),
    Column("paper best", 3, "best of the paper's 13 models", known=True, wide=True),
)
MODEL_COLUMNS = (
    Column("environment"),
    Column("memory"),
    Column("nats/token", 4),
    Column("floor", 4, "of any predictor, on the same episodes", known=True),
    Column("kind", about="exact: the floor itself; at most: an upper bound of it"),
    Column("excess", 4, "nats over the floor"),
    Column("s.e.", 4, "of the excess, over episodes", wide=True),
    Column("right %", 1, "how often the likeliest token came"),
    Column("steps/seed", 0, "environment steps of each seed", wide=True),
    Column("steps/s", 0, "environment steps a second, all seeds together", wide=True),
)
COST_COLUMNS = (
    Column("environment"),
    Column("memory"),
    Column("parameters", 0),
    Column("state", 0, "numbers remembered a sequence"),
    Column("steps", 0, "environment steps of all seeds"),
    Column("compile s", 1, "tracing and compilation"),
    Column("train s", 1, "all seeds in one program, since it last began"),
    Column("evaluate s", 1),
    Column("steps/s", 0, "environment steps a second while training"),
)


def agents_of(rows: Sequence[Row]) -> list[Row]:
    """Those that earn returns."""
    return [row for row in rows if row.final is not None]


def models_of(rows: Sequence[Row]) -> list[Row]:
    """Those that predict tokens."""
    return [row for row in rows if row.tokens is not None]


def agents_sheet(study: str, rows: Sequence[Row]) -> Sheet:
    """Returns, beside what is known of each task."""
    return Sheet(
        "agents",
        f"{study}: mean return over seeds (spread: standard deviation)",
        AGENT_COLUMNS,
        [
            _common(row, label)
            | {
                "final": Spread.of(row.final),
                "greedy": float(np.mean(row.greedy)),
                "MMER": float(np.mean(row.mmer)),
                "normalised": float(np.mean(scores.normalise(row.spec.env, row.final))),
            }
            | known_figures(row.spec.env)
            for row, label in zip(rows, labels(rows), strict=True)
        ],
        (
            "final: sampled last policy on fresh episodes. MMER: best mean return during training, "
            "the paper's metric.",
            "normalised: 0 = best policy without memory, 1 = reference player. Published figures: "
            "popjax/scores.json names the source of each.",
        ),
    )


def known_figures(env: str) -> dict[str, float | None]:
    """What is known of a task, by the names of the columns."""
    known = scores.scores(env)
    return {
        column: known[kind]["mean"] if known.get(kind) else None for column, kind in KNOWN.items()
    }


def models_sheet(study: str, rows: Sequence[Row]) -> Sheet:
    """Nats a token on held-out episodes, beside the floor on the very same ones."""
    lines = []
    for row, label in zip(rows, labels(rows), strict=True):
        column = {name: np.array([seed[name] for seed in row.tokens]) for name in row.tokens[0]}
        lines.append(
            _common(row, label)
            | {
                "nats/token": float(column["nats"].mean()),
                "floor": float(column["floor"].mean()),
                "kind": floor_kind(make(row.spec.env)),
                "excess": Spread.of(column["excess"]),
                "s.e.": float(np.sqrt(np.sum(column["excess_error"] ** 2)) / len(row.tokens)),
                "right %": float(100 * column["accuracy"].mean()),
            }
        )
    return Sheet(
        "models",
        f"{study}: nats a token on held-out episodes, mean over seeds",
        MODEL_COLUMNS,
        lines,
        (
            "excess: over the floor on the same episodes (spread: standard deviation over seeds; "
            "s.e.: over episodes).",
            "exact: the floor is the true law's. at most: it is a good predictor's, an upper bound "
            "that a model can go below, with a negative excess. right: the likeliest token came.",
        ),
    )


def cost_sheet(study: str, rows: Sequence[Row]) -> Sheet:
    """Sizes and seconds of each cell."""
    kinds = {"compile s": "compile_seconds", "train s": "train_seconds"}
    kinds |= {"evaluate s": "eval_seconds", "steps/s": "steps_per_second"}
    return Sheet(
        "cost",
        f"{study}: sizes and wall time",
        COST_COLUMNS,
        [
            _common(row, label)
            | {
                "parameters": row.summary["parameters"],
                "state": row.summary["state_size"],
                "steps": row.spec.env_steps,
                **{column: row.summary[kind] for column, kind in kinds.items()},
            }
            for row, label in zip(rows, labels(rows), strict=True)
        ],
    )


def _common(row: Row, label: str) -> dict[str, object]:
    lost = len(row.summary["diverged"])
    return {
        "environment": row.spec.env,
        "memory": label + (f" ({lost} diverged)" if lost else ""),
        "steps/seed": row.spec.env_steps // len(row.spec.seeds),
        "steps/s": row.summary["steps_per_second"],
    }
