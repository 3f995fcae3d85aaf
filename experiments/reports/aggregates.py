"""Memories over all environments of a study: normalised final returns and their uncertainty."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiments.reports import statistics
from experiments.reports.statistics import iqm, optimality_gap, pooled
from experiments.reports.tables import SCALE, diverged_notes
from experiments.results.study import Row, labels
from experiments.results.tables import Column, Sheet, Within
from popjax import scores

Strata = dict[str, np.ndarray]  # environment: normalised final returns, [seeds]
REPETITIONS = 2000
CAPTION = (
    f"{SCALE} In brackets: 95 % stratified-bootstrap intervals over seeds.",
    "IQM: mean of the middle half of all runs. Gap: by how much runs fall short of 1 on average.",
)
BETTER = "Better: the probability that a run of the first line beats one of this line."


@dataclass(frozen=True)
class Aggregate:
    """One memory over its environments. better: the probability that a run of the leader beats one
    of this memory, over the environments of both; None for the leader itself. diverged: how many
    of its runs did, and count as random play."""

    who: str
    strata: Strata
    iqm: Within
    gap: Within
    better: Within | None = None
    diverged: int = 0

    @property
    def num_runs(self) -> int:
        return sum(map(len, self.strata.values()))

    @property
    def num_solved(self) -> int:
        """Environments whose mean is at least `scores.SOLVED`."""
        return sum(bool(runs.mean() >= scores.SOLVED) for runs in self.strata.values())


def strata_of(rows: Sequence[Row]) -> dict[str, Strata]:
    """Normalised final returns by who and environment; a run that ended in no number is left out
    with its environment, and so is an environment without a scale."""
    found: dict[str, Strata] = {}
    for row, label in zip(rows, labels(rows), strict=True):
        values = scores.normalise(row.spec.env, row.final)
        if np.isfinite(values).all():
            found.setdefault(label, {})[row.spec.env] = values
    return found


def aggregates(rows: Sequence[Row]) -> list[Aggregate]:
    """One for each memory, the highest interquartile mean first; none unless two were run on one
    environment: how far others came is said by environment."""
    by_who = strata_of(rows)
    played = Counter(env for strata in by_who.values() for env in strata)
    if max(played.values(), default=0) < 2:
        return []
    lost = Counter()
    for row, label in zip(rows, labels(rows), strict=True):
        if row.spec.env in by_who.get(label, {}):
            lost[label] += len(row.diverged)
    found = [
        Aggregate(
            *(who, strata, _within(strata, iqm), _within(strata, optimality_gap)),
            diverged=lost[who],
        )
        for who, strata in by_who.items()
    ]
    found.sort(key=lambda one: -one.iqm.mean)
    return [found[0], *(_beside(found[0], other) for other in found[1:])]


def _within(strata: Strata, measure) -> Within:
    runs = list(strata.values())
    ends = statistics.interval(runs, REPETITIONS, measure=measure)
    return Within(float(measure(pooled(runs))), *ends)


def _beside(leader: Aggregate, other: Aggregate) -> Aggregate:
    common = [env for env in leader.strata if env in other.strata]
    better = None
    if common:
        xs, ys = ([side.strata[env] for env in common] for side in (leader, other))
        ends = statistics.improvement_interval(xs, ys, REPETITIONS)
        better = Within(float(statistics.probability_of_improvement(xs, ys)), *ends)
    return dataclasses.replace(other, better=better)


def aggregates_sheet(study: str, found: Sequence[Aggregate]) -> Sheet:
    """The aggregates as a table, and where they do not rest on the same environments."""
    leader = found[0].who
    columns = (
        Column("memory"),
        Column("environments", 0),
        Column("runs", 0),
        Column("solved", 0, f"environments with a mean of at least {scores.SOLVED}"),
        Column("IQM", 3, "interquartile mean of normalised final returns"),
        Column("gap", 3, "optimality gap: mean shortfall from 1"),
        Column("better", 2, f"probability that a run of {leader} beats one of this memory"),
    )
    rows = [
        {
            "memory": one.who,
            "environments": len(one.strata),
            "runs": one.num_runs,
            "solved": one.num_solved,
            "IQM": one.iqm,
            "gap": one.gap,
            "better": one.better,
        }
        for one in found
    ]
    lost, runs = sum(one.diverged for one in found), sum(one.num_runs for one in found)
    caption = [*CAPTION, BETTER, *diverged_notes(lost, runs)]
    if len({frozenset(one.strata) for one in found}) > 1:
        caption.append("The memories were not all run on the same environments: compare with care.")
    if any(len(runs) < 2 for one in found for runs in one.strata.values()):
        caption.append("Environments with a single seed add nothing to the width of an interval.")
    return Sheet("aggregates", f"{study}: over all environments", columns, rows, tuple(caption))
