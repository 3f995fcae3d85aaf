"""The tables of the kept results: beside goals and published scores, or beside the paper's GRU."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.reports.tables import diverged_notes
from experiments.results.published import GOALS, Result
from experiments.results.tables import Column, Sheet, Spread
from popjax import scores

PAPER_STEPS, PAPER_TRIALS = 15_000_000, 3
BEST = "best published"
COLUMNS = (
    Column("task"),
    Column("memory"),
    Column("seeds", about="trained with the newest settings"),
    Column("final", 3, "mean return of the last policy, sampled, and spread over seeds"),
    Column("worst seed", 3, "the lowest final return of a seed"),
    Column("greedy", 3, "the same policies taking their likeliest actions", wide=True),
    Column("goal"),
    Column("MMER", 3, "best mean return during training, the paper's metric", wide=True),
    Column(BEST, known=True),
    Column("ours beside it", about="by the same metric"),
    Column("steps", about="of each seed", wide=True),
    Column("min per seed", 1, "minutes of training", wide=True),
)
SHORT = ("task", "memory", "final", BEST, "ours beside it", "min per seed")
PAPER_COLUMNS = (
    Column("task"),
    Column("trials"),
    Column("steps"),
    Column("MMER", 3),
    Column("paper's GRU", 3, known=True),
    Column("apart", about="in standard deviations of the paper's trials"),
    Column("within two"),
)


def goals(path: Path = GOALS) -> dict[str, float]:
    """The return that each task should reach."""
    return json.loads(path.read_text())


def published_best(env: str) -> dict[str, Any] | None:
    """The best published score of a task that could be opened: see `popjax.scores`.

    >>> best = published_best("CountRecallEasy")
    >>> best["mean"], best["metric"], best["model"]
    (0.509, 'MMER', 'LSTM')
    """
    return scores.scores(env).get("published")


def beside(result: Result, best: dict[str, Any]) -> float:
    """The mean of a result by the metric of a published score; final where that is not stated."""
    return float(np.mean(result.returns("mmer" if best["metric"].startswith("MMER") else "final")))


def is_better(result: Result, best: dict[str, Any]) -> bool:
    """Whether it is above a published score by as many digits as that was printed with: by the same
    metric, and by the final return too, as a maximum over training grows with its noise."""
    means = beside(result, best), float(np.mean(result.returns("final")))
    return all(round(mean, best["digits"]) > best["mean"] for mean in means)


def standing(result: Result, best: dict[str, Any]) -> str:
    """better, above by MMER alone, equal, or below."""
    ours, digits = round(beside(result, best), best["digits"]), best["digits"]
    if ours > best["mean"]:
        return "better" if is_better(result, best) else "by MMER alone"
    return "equal" if ours == round(best["mean"], digits) else "below"


def best_sheet(chosen: Sequence[Result], wanted: dict[str, float]) -> Sheet:
    """Returns beside goals and the best published scores."""
    return Sheet(
        "published",
        "results kept with the sources",
        COLUMNS,
        [_line(result, wanted.get(result.env)) for result in chosen],
        tuple(_notes(chosen)),
    )


def short_sheet(chosen: Sequence[Result]) -> Sheet:
    """The columns of `best_sheet` that the README shows."""
    whole = best_sheet(chosen, {})
    columns = [column for column in whole.columns if column.name in SHORT]
    return dataclasses.replace(whole, columns=columns)


def _line(result: Result, goal: float | None) -> dict[str, Any]:
    final, greedy = result.returns("final"), float(np.mean(result.returns("greedy")))
    reached = goal is not None and round(max(float(np.mean(final)), greedy), 3) >= goal
    seconds, best = result.seconds_a_seed("seconds"), published_best(result.env)
    lost = f" ({result.diverged} diverged)" if result.diverged else ""
    line = {
        "task": result.env,
        "memory": result.memory + (" at every cell" if result.network == "cells" else ""),
        "seeds": f"{len(final)}{lost}",
        "final": Spread.of(final),
        "worst seed": float(final.min()),
        "greedy": greedy,
        "goal": "" if goal is None else f"{goal:g} {'reached' if reached else 'missed'}",
        "MMER": float(np.mean(result.returns("mmer"))),
        "steps": f"{result.counted[-1].steps / 1e6:.1f}M",
        "min per seed": None if seconds is None else seconds / 60,
    }
    if best:
        line[BEST] = f"{best['mean']:.{best['digits']}f} {best['metric']} ({best['model']})"
        line["ours beside it"] = f"{beside(result, best):.3f} {standing(result, best)}"
    return line


def _notes(chosen: Sequence[Result]) -> list[str]:
    notes = [
        "final: mean ± standard deviation over all seeds of all runs with the newest run's "
        "settings, whatever the commit. A goal is reached by the sampled or the greedy policy.",
        "MMER: the paper's metric, a maximum over training, which noise raises. A published MMER "
        "stands beside our MMER, a final return beside our final return; better: by both.",
    ]
    notes += _diverged(chosen)
    if earlier := [
        f"{result.env} {result.memory} {sum(len(run.seeds) for run in result.earlier)}"
        for result in chosen
        if result.earlier
    ]:
        notes.append(f"Seeds of earlier settings, kept and not counted: {', '.join(earlier)}.")
    if short := [r for r in chosen if r.name == "paper" and _share(r) < 1]:
        notes.append(
            f"The paper's settings, not its budget: {_paper_budget(short)} of its "
            f"{PAPER_TRIALS} trials of {PAPER_STEPS / 1e6:.0f}M steps."
        )
    return notes


def _diverged(chosen: Sequence[Result]) -> list[str]:
    seeds = sum(len(result.seeds) for result in chosen)
    return diverged_notes(sum(result.diverged for result in chosen), seeds)


def _share(result: Result) -> float:
    return result.counted[-1].steps / PAPER_STEPS


def _paper_budget(short: Sequence[Result]) -> str:
    trials = sorted({len(result.seeds) for result in short})
    shares = sorted({round(100 * _share(result)) for result in short})
    return f"{_range(trials)} seed{'s' * (trials != [1])} and {_range(shares)} % of the steps"


def _range(numbers: Sequence[int]) -> str:
    first, last = numbers[0], numbers[-1]
    return f"{first}" if first == last else f"{first} to {last}"


def paper_sheet(chosen: Sequence[Result]) -> Sheet:
    """Trials with the paper's settings beside the paper's GRU, by its own metric.

    apart: the distance of the means in standard deviations of the paper's trials (of 0.0005 at
    least, as its table has three decimals).
    """
    lines, shown = [], []
    for result in chosen:
        known = scores.scores(result.env).get("paper_gru")
        if result.memory != "gru" or not known or known["std"] is None:
            continue
        mmer = result.returns("mmer")
        apart = (float(np.mean(mmer)) - known["mean"]) / max(known["std"], 0.0005)
        lost = f", {result.diverged} diverged" if result.diverged else ""
        shown.append(result)
        lines.append(
            {
                "task": result.env,
                "trials": f"{len(mmer)} (paper {PAPER_TRIALS}{lost})",
                "steps": f"{result.counted[-1].steps / 1e6:.1f}M ({100 * _share(result):.0f} % of "
                f"{PAPER_STEPS / 1e6:.0f}M)",
                "MMER": Spread.of(mmer),
                "paper's GRU": Spread(known["mean"], known["std"]),
                "apart": f"{apart:+.1f}",
                "within two": "yes" if abs(apart) <= 2 else "above" if apart > 0 else "below",
            }
        )
    notes = ["MMER: best mean return of an update, which further training can only raise."]
    notes += _diverged(shown)
    if any(_share(result) < 1 for result in shown):
        notes.append(f"Not the paper's budget: {_paper_budget(shown)}.")
    title = "the paper's settings, beside its GRU"
    return Sheet("against-paper", title, PAPER_COLUMNS, lines, tuple(notes))


def records(chosen: Sequence[Result], wanted: dict[str, float]) -> list[dict[str, Any]]:
    """One plain record a result, for programs; what is not known is None.

    final, greedy, mmer: one number a seed, in the order of `seeds`.
    """

    def plain(values: np.ndarray) -> list[float | None]:
        return [float(value) if math.isfinite(value) else None for value in values]

    lines = []
    for result in chosen:
        best, final = published_best(result.env), result.returns("final")
        lines.append(
            {
                "env": result.env,
                "memory": result.memory,
                "network": result.network,
                "settings_name": result.name,
                "seeds": list(result.seeds),
                "final": plain(final),
                "greedy": plain(result.returns("greedy")),
                "mmer": plain(result.returns("mmer")),
                "mean": float(final.mean()),
                "spread": float(final.std(ddof=1)) if len(final) > 1 else None,
                "worst": float(final.min()),
                "diverged": result.diverged,
                "goal": wanted.get(result.env),
                "published": best["mean"] if best else None,
                "published_metric": best["metric"] if best else None,
                "published_source": best["source"] if best else None,
                "beside": beside(result, best) if best else None,
                "better": is_better(result, best) if best else None,
                "steps": result.counted[-1].steps,
                "seconds_a_seed": result.seconds_a_seed("seconds"),
                "cpu_seconds_a_seed": result.seconds_a_seed("cpu_seconds"),
                "commits": list(dict.fromkeys(run.commit for run in result.counted)),
                "earlier_seeds": sum(len(run.seeds) for run in result.earlier),
            }
        )
    return lines
