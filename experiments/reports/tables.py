"""What each cell of a study reached, beside what is known of its task, and what it cost."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from agents.held_out import floor_kind
from experiments.results.study import Row, labels
from experiments.results.tables import Column, Sheet, Spread, counted
from popjax import make, scores

KNOWN = {  # column: kind of score in `popjax.scores`
    "random": "random",
    "memoryless": "memoryless",
    "reference": "reference",
    "paper GRU": "paper_gru",
    "paper best": "paper_best",
}
SCALE = "normalised: the final return, where 0 is random play and 1 the reference player."
GAIN = (
    "memory gain: 0 is the best policy without memory instead; blank where memory is worth at most "
    "a tenth of the scale."
)
MISLEADING = 0.2  # of the scale, by which MMER is above the final return
AGENT_COLUMNS = (
    Column("environment"),
    Column("memory"),
    Column("final", 3, "mean return of the last policy, sampled, on fresh episodes"),
    Column("greedy", 3, "the same policy taking its likeliest action", wide=True),
    Column("MMER", 3, "best mean return during training, the paper's metric"),
    Column("normalised", 2, "final: 0 is random play, 1 the reference player"),
    Column("memory gain", 2, "final: 0 is the best policy without memory, 1 the reference player"),
    Column("solved", about=f"normalised at least {scores.SOLVED}"),
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
                "greedy": Spread.of(row.greedy).mean,
                "MMER": Spread.of(row.mmer).mean,
                "normalised": Spread.of(scores.normalise(row.spec.env, row.final)).mean,
                "memory gain": Spread.of(scores.memory_gain(row.spec.env, row.final)).mean,
                "solved": "yes" if is_solved(row) else "",
            }
            | known_figures(row.spec.env)
            for row, label in zip(rows, labels(rows), strict=True)
        ],
        (
            "final: sampled last policy on fresh episodes. MMER: best mean return during training, "
            "the paper's metric, which is a maximum over training.",
            f"{SCALE} {GAIN}",
            *mmer_notes(rows),
            f"{solved_words(rows)} Published figures: popjax/scores.json names the source of each.",
            *agent_notes(rows),
        ),
    )


def mmer_notes(rows: Sequence[Row]) -> list[str]:
    """Where the paper's metric says more than the last policy can do, and why."""
    names = []
    for row, label in zip(rows, labels(rows), strict=True):
        best, final = (
            scores.normalise(row.spec.env, Spread.of(values).mean)
            for values in (row.mmer, row.final)
        )
        if best - final > MISLEADING:
            names.append(f"{row.spec.env} {label}")
    if not names:
        return []
    return [
        f"Here MMER misleads: {', '.join(names)}. An update's mean is of the episodes that end in "
        "it: where few do, the short and lucky ones end first. The last policy earns what final "
        "says."
    ]


def is_solved(row: Row) -> bool:
    """Whether the mean of the seeds' final returns is at least `scores.SOLVED` of the scale."""
    return scores.solved(row.spec.env, Spread.of(row.final).mean)


def solved_words(rows: Sequence[Row]) -> str:
    """How many cells are solved, in a sentence."""
    count = sum(map(is_solved, rows))
    return f"Solved (normalised at least {scores.SOLVED}): {count} of {counted(len(rows), 'cell')}."


def diverged_notes(lost: int, seeds: int, fate: str = "counted as random play") -> list[str]:
    """What a table must say of seeds that diverged, if some did.

    >>> diverged_notes(1, 3)
    ['1 of 3 seeds diverged, counted as random play.']
    """
    return [f"{lost} of {seeds} seeds diverged, {fate}."] if lost else []


def agent_notes(rows: Sequence[Row]) -> list[str]:
    """`diverged_notes` of agents; nothing stands for one whose task has no known random play."""
    known = all("random" in scores.scores(row.spec.env) for row in rows if row.diverged)
    fate = "counted as random play" + ("" if known else ", left out where that is not known")
    return diverged_notes(*_diverged_of(rows), fate)


def model_notes(rows: Sequence[Row]) -> list[str]:
    """`diverged_notes` of language models."""
    return diverged_notes(*_diverged_of(rows), "left out")


def _diverged_of(rows: Sequence[Row]) -> tuple[int, int]:
    return sum(len(row.diverged) for row in rows), sum(len(row.spec.seeds) for row in rows)


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
                "nats/token": Spread.of(column["nats"]).mean,
                "floor": Spread.of(column["floor"]).mean,
                "kind": floor_kind(make(row.spec.env)),
                "excess": Spread.of(column["excess"]),
                "s.e.": _joint_error(column["excess_error"]),
                "right %": 100 * Spread.of(column["accuracy"]).mean,
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
            *model_notes(rows),
        ),
    )


def _joint_error(errors: np.ndarray) -> float:
    """Of the mean over the seeds that have one."""
    errors = errors[np.isfinite(errors)]
    return float(np.sqrt(np.sum(errors**2)) / errors.size) if errors.size else math.nan


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
    lost = len(row.diverged)
    return {
        "environment": row.spec.env,
        "memory": label + (f" ({lost} diverged)" if lost else ""),
        "steps/seed": row.spec.env_steps // len(row.spec.seeds),
        "steps/s": row.summary["steps_per_second"],
    }
