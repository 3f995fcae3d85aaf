"""How a search spends its lanes: successive halving with as many lanes at every time.

Jamieson and Talwalkar 2016 (arXiv 1502.07943) halve the points and let the survivors run on. Here
the lanes that this frees become more seeds of the survivors, so that one program serves all rungs.
Runs that go on cannot be compared with runs that begin, and a learning rate that falls over the
run knows its end; so every rung starts from scratch. In a rung all points have

- the same seeds, which no rung before has used: its scores owe nothing to the choice that was made
  on the rungs before, and two points meet the same episodes;
- the same steps, from beginning to annealed end; the last rung has all of `total_steps`, each one
  before it `eta` times less.

So a search costs less than eta / (eta - 1) times its last rung. Where an engine proposes in
several batches, all of them are the first rung, on the same seeds.
"""

from __future__ import annotations

from dataclasses import dataclass

from experiments.results.errors import UserError, positive
from experiments.results.seeds import FRESH_SEEDS, TUNING_SEEDS


@dataclass(frozen=True)
class Heat:
    """All lanes once: some points, each with some seeds, trained from beginning to end.

    rung: which; -1 for the trial of the winner on fresh seeds.
    """

    name: str
    rung: int
    num_points: int
    seeds: tuple[int, ...]
    num_updates: int


@dataclass(frozen=True)
class Plan:
    """The heats of one program, in their order, the trial on fresh seeds last."""

    heats: tuple[Heat, ...]
    lanes: int
    updates_per_segment: int
    steps_per_update: int

    @property
    def env_steps(self) -> int:
        """Environment steps of all lanes in all heats."""
        updates = sum(heat.num_updates for heat in self.heats)
        return updates * self.steps_per_update * self.lanes

    def steps_of(self, heat: Heat) -> int:
        """Environment steps of one lane in a heat."""
        return heat.num_updates * self.steps_per_update


def make_plan(
    points: int,
    seeds: int,
    total_steps: int,
    steps_per_update: int,
    eta: int = 4,
    batches: int = 1,
    segments: int = 1,
    rungs: int | None = None,
) -> Plan:
    """The plan of a search.

    points: of the first rung, all batches together. seeds: of each point in the first rung.
    segments: compiled stretches of a heat of the first rung. rungs: so many that the last has at
    least two points, if not given. Raises UserError if the words make no search or need more seeds
    than there are for tuning.

    >>> plan = make_plan(64, 2, total_steps=160_000, steps_per_update=1_000)
    >>> [(heat.num_points, len(heat.seeds), plan.steps_of(heat)) for heat in plan.heats]
    [(64, 2, 10000), (16, 8, 40000), (4, 32, 160000), (2, 64, 160000)]
    """
    for name, value in (("seeds", seeds), ("batches", batches), ("segments", segments)):
        positive(name, value)
    if eta < 2:
        raise UserError(f"eta must be at least 2, not {eta}")
    at_once = -(-points // batches)
    if points < 2 or points < batches:
        raise UserError(f"{points} points in {batches} batches are no search: give at least 2")
    lanes = at_once * seeds
    most = 1
    while points // eta**most > 1:
        most += 1
    rungs = most if rungs is None else rungs
    if not 1 <= rungs <= most:
        raise UserError(f"rungs must be from 1 to {most}, not {rungs}: the last has two points")

    affordable = total_steps // steps_per_update
    shortest = affordable // eta ** (rungs - 1)
    if shortest < 1:
        least = steps_per_update * eta ** (rungs - 1)
        raise UserError(
            f"{total_steps:,} steps are too few for {rungs} rungs of which the first has one "
            f"update: give --total-steps at least {least:,}"
        )
    per_segment = max(1, shortest // segments)
    shortest = per_segment * (shortest // per_segment)

    heats, unused = [], TUNING_SEEDS.start
    for rung in range(rungs):
        count = points if rung == 0 else min(points // eta**rung, lanes)
        each = seeds if rung == 0 else max(1, lanes // count)
        of_rung = tuple(range(unused, unused + each))
        unused += each
        updates = shortest * eta**rung
        if rung == 0:
            for batch in range(batches):
                size = min(at_once, points - batch * at_once)
                name = "rung 0" if batches == 1 else f"rung 0, batch {batch}"
                heats.append(Heat(name, 0, size, of_rung, updates))
        else:
            heats.append(Heat(f"rung {rung}", rung, count, of_rung, updates))
    if unused > TUNING_SEEDS.stop:
        raise UserError(
            f"{unused - TUNING_SEEDS.start} seeds are needed, {len(TUNING_SEEDS)} are for tuning"
        )
    fresh = tuple(FRESH_SEEDS[: max(1, lanes // 2)])
    heats.append(Heat("fresh seeds", -1, 2, fresh, shortest * eta ** (rungs - 1)))
    return Plan(tuple(heats), max(lanes, 2), per_segment, steps_per_update)
