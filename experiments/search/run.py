"""Finding settings: propose, compare in compiled heats, try the winner on seeds of its own.

<study>/study.json                       the request
       /<group>/heat-<n>.json            the points of a heat, before it is run
               /heat-<n>.parquet         what each scored on each seed: the heat is over
               /checkpoint/              all lanes after the last finished segment
               /timing.json              compilations and heats, in seconds since the last start
       /points.parquet                   all heats of all groups
       /search.png, search.svg           the figure
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.results.errors import UserError
from experiments.results.files import (
    DamagedError,
    Table,
    read_json,
    read_parquet,
    write_atomically,
    write_json,
    write_parquet,
)
from experiments.results.lock import Hold, lock, owner
from experiments.results.spec import CellSpec
from experiments.search.engines import Engine, engine_of
from experiments.search.halving import Plan
from experiments.search.lanes import Program, compile_lanes, run_heat
from experiments.search.space import Point, Range, point_at
from experiments.train.objectives import REGIMES

News = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Group:
    """One program of a search: a cell with its static settings, and the heats it will run.

    The cell's own hyper-parameters are point 0.
    """

    label: str
    spec: CellSpec
    plan: Plan
    folder: Path


@dataclass(frozen=True)
class Contender:
    """A point of a group."""

    group: Group
    point: Point


@dataclass(frozen=True)
class Found:
    """The winner and point 0 of the first group, and what both scored on the fresh seeds.

    ranking: the last rung of every group, best first, with mean scores. ours, theirs: `[seeds]`,
    or None where the winner is point 0 itself.
    """

    winner: Contender
    first: Contender
    ranking: list[tuple[Contender, np.ndarray]]
    ours: np.ndarray | None
    theirs: np.ndarray | None


class Search:
    """The heats of one group: what is on the disk is not run again."""

    def __init__(self, group: Group, space: dict[str, Range], news: News, ours: Hold):
        self.group, self.space, self.news, self.ours = group, space, news, ours
        self._program: Program | None = None

    def heat(self, number: int, points_of: Callable[[], list[Point]]) -> tuple[list[Point], Table]:
        """The points of a heat and their scores. `points_of` is called if they are not known."""
        folder, heat = self.group.folder, self.group.plan.heats[number]
        listed, scored = (folder / f"heat-{number}.{kind}" for kind in ("json", "parquet"))
        if not listed.exists():
            check_ours(self.ours, folder)
            write_atomically(listed, json.dumps(points_of(), indent=1).encode())
        points = read_points(listed, folder)
        if not scored.exists():
            program, began = self.program(), time.perf_counter()

            def check() -> None:
                check_ours(self.ours, folder)

            def report(updates: int, best: float) -> None:
                self.news({"group": self.group, "heat": heat, "updates": updates, "best": best})

            table = run_heat(
                program, self.group.plan, number, points, folder / "checkpoint", report, check
            )
            check()
            write_parquet(scored, table)
            self._time(heat.name, time.perf_counter() - began)
        self.news({"group": self.group, "heat": heat, "over": True})
        return points, read_parquet(scored)

    def program(self) -> Program:
        """Compiled when it is first needed."""
        if self._program is None:
            self.news({"group": self.group, "stage": "compiling"})
            trainer = REGIMES[self.group.spec.regime].trainer(self.group.spec)
            self._program = compile_lanes(trainer, self.group.plan)
            self._time("compilation", self._program.compile_seconds)
        return self._program

    def _time(self, what: str, seconds: float) -> None:
        path = self.group.folder / "timing.json"
        timing = read_timing(path)
        timing[what] = timing.get(what, 0.0) + round(seconds, 2)
        check_ours(self.ours, self.group.folder)
        write_json(path, timing)


def read_points(path: Path, folder: Path) -> list[Point]:
    """The points of a heat; a UserError if the file is damaged."""
    cure = f"remove {folder} to run it again"
    points = read_json(path, list, cure=cure)
    for point in points:
        if not isinstance(point, dict) or not all(type(v) in (int, float) for v in point.values()):
            raise DamagedError(path, "not all are points", cure)
    return points


def read_timing(path: Path) -> dict[str, float]:
    """Seconds of each stage so far; nothing if the file is not there or damaged, since what a
    search finds does not hang on it."""
    try:
        timing = read_json(path)
    except DamagedError:
        return {}
    return {k: v for k, v in timing.items() if isinstance(v, int | float)}


def check_ours(ours: Hold, folder: Path) -> None:
    """A UserError unless the search is still this process's: one that slept for a minute has lost
    it to the process that resumed it."""
    if not ours:
        raise UserError(
            f"another process has taken {folder} over from this one, which slept or was stopped"
        )


def run_group(search: Search, engine: Engine) -> list[tuple[Point, np.ndarray]]:
    """All rungs of a group: the points of the last one, best first, with their scores `[seeds]`."""
    plan, space = search.group.plan, search.space
    base = search.group.spec.hyperparams
    judged: list[tuple[Point, np.ndarray]] = []
    rung = 0
    for number, heat in enumerate(plan.heats[:-1]):
        if heat.rung > rung:  # the best of the rung before
            survivors = [point for point, _ in ranked(judged)[: heat.num_points]]
            judged, rung = [], heat.rung
        else:
            survivors = None

        def points_of(survivors=survivors, number=number, count=heat.num_points):
            return survivors or proposed(engine, space, base, count, with_base=number == 0)

        points, table = search.heat(number, points_of)
        scores = [table["score"][table["point"] == i] for i in range(len(points))]
        judged += list(zip(points, scores, strict=True))
        if rung == 0:
            places = np.array([[space[n].unit(point[n]) for n in space] for point in points])
            engine.report(places, np.array([mean_score(s) for s in scores]))
    return ranked(judged)


def proposed(
    engine: Engine, space: dict[str, Range], base: Point, count: int, with_base: bool
) -> list[Point]:
    """A batch of points, each with all hyper-parameters; the first is `base` itself if wanted."""
    points = [base | point_at(space, place) for place in engine.propose(count)]
    return [base, *points[1:]] if with_base else points


def mean_score(scores: np.ndarray) -> float:
    """Over seeds; -inf if any of them diverged."""
    return float(np.mean(scores)) if np.isfinite(scores).all() else -np.inf


def ranked(judged: list[tuple[Any, np.ndarray]]) -> list[tuple[Any, np.ndarray]]:
    """Best mean first; of equals the one proposed first."""
    return sorted(judged, key=lambda pair: -mean_score(pair[1]))


def search(
    folder: Path,
    groups: list[Group],
    space: dict[str, Range],
    engine: str,
    seed: int,
    news: News = lambda _: None,
) -> Found:
    """Runs all groups, then the winner against point 0 of the first group on the fresh seeds.

    Raises UserError if another process is at work on it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder / "lock") as ours:
        if not ours:
            raise UserError(f"another process is at work: {owner(folder / 'lock')}")
        searches = {}
        finalists = []
        for group in groups:
            group.folder.mkdir(exist_ok=True)
            searches[group.label] = Search(group, space, news, ours)
            last = run_group(searches[group.label], engine_of(engine, len(space), seed))
            finalists += [(Contender(group, point), scores) for point, scores in last]
        ranking = ranked(finalists)
        winner, first = ranking[0][0], Contender(groups[0], groups[0].spec.hyperparams)
        scores = fresh_scores(searches, winner, first)
        check_ours(ours, folder)
        write_parquet(folder / "points.parquet", all_points(groups))
    return Found(winner, first, ranking, *scores)


def fresh_scores(
    searches: dict[str, Search], winner: Contender, first: Contender
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What two contenders score on the fresh seeds, `[seeds]` each; None if they are the same."""
    if winner == first:
        return None, None
    together = winner.group == first.group
    parts = [[winner, first]] if together else [[winner], [first]]
    scores = []
    for part in parts:
        run = searches[part[0].group.label]
        number = len(run.group.plan.heats) - 1
        points, table = run.heat(number, lambda part=part: [c.point for c in part])
        scores += [table["score"][table["point"] == i] for i in range(len(points))]
    least = min(map(len, scores))
    return scores[0][:least], scores[1][:least]


def all_points(groups: list[Group]) -> Table:
    """All heats that are over: one line per group, heat, point and seed."""
    columns: dict[str, list] = {}
    for group in groups:
        for number, heat in enumerate(group.plan.heats):
            path = group.folder / f"heat-{number}.parquet"
            if not path.exists():
                continue
            points = read_points(path.with_suffix(".json"), group.folder)
            table = read_parquet(path)
            for i in range(len(table["score"])):
                row = {name: column[i].item() for name, column in table.items()}
                row |= {"group": group.label, "heat": number, "rung": heat.rung}
                row |= {"steps": group.plan.steps_of(heat), **points[row["point"]]}
                for name, value in row.items():
                    columns.setdefault(name, []).append(value)
    return {name: np.array(column) for name, column in columns.items()}
