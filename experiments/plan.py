"""What a sweep will do, before it does it: cells, programs, steps and hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jax
from rich.console import Console

from agents.memory import MEMORIES
from experiments.costs import Cost, calibrate, estimate, read_costs, write_costs
from experiments.programs import program_code
from experiments.results import Cell
from experiments.simulate import Job, Outcome, inline
from experiments.specs import CellSpec


@dataclass(frozen=True)
class Plan:
    """The cells of a study in the order in which they are run, longest program first.

    costs: what is known, empty if nothing was measured. outcome: what the rest is expected to
    take in this process. notes: what is wrong with the files of costs.
    """

    study: Path
    specs: tuple[CellSpec, ...]
    finished: int
    costs: tuple[Cost, ...]
    outcome: Outcome | None
    notes: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[CellSpec, ...]:
        return self.specs[self.finished :]


def make_plan(study: Path, specs: Sequence[CellSpec], measured: bool = True) -> Plan:
    """The plan of a study. measured: take a short measurement where nothing is known; it is kept
    in the study's folder if there is one."""
    specs = list({spec.id: spec for spec in specs}.values())
    finished = [spec for spec in specs if Cell(study, spec).finished]
    left = [spec for spec in specs if not Cell(study, spec).finished]
    notes: list[str] = []
    costs = read_costs(study, specs, notes.append)
    if measured and left:
        fresh = calibrate(sorted(left, key=lambda spec: spec.env_steps, reverse=True), costs)
        if fresh:
            costs = [*fresh, *costs]
            if study.exists():
                try:
                    write_costs(study, costs)
                except OSError as error:
                    notes.append(f"costs.json is not kept: {error.strerror or error}")
    groups, outcome = grouped(left), None
    if costs:
        jobs = {code: job_of(group, costs) for code, group in groups.items()}
        order = sorted(groups, key=lambda code: jobs[code].seconds, reverse=True)
        left = [spec for code in order for spec in groups[code]]
        beside = jax.default_backend() != "cpu"  # on a CPU, compiling takes from training
        outcome = inline([jobs[code] for code in order], jax.local_device_count(), beside)
    return Plan(Path(study), (*finished, *left), len(finished), tuple(costs), outcome, tuple(notes))


def grouped(specs: Sequence[CellSpec]) -> dict[str, list[CellSpec]]:
    """Cells by the program that they share."""
    groups: dict[str, list[CellSpec]] = {}
    for spec in specs:
        groups.setdefault(program_code(spec), []).append(spec)
    return groups


def jobs_of(plan: Plan) -> list[Job]:
    """What is left to do, one job a program."""
    return [job_of(group, plan.costs) for group in grouped(plan.left).values()]


def job_of(group: Sequence[CellSpec], costs: Sequence[Cost]) -> Job:
    """The cells of one program, with what they are expected to take on one device."""
    cost = estimate(costs, group[0])
    return Job(
        name=f"{group[0].env} {group[0].memory}",
        lanes=len(group[0].seeds),
        compile=cost.compile_seconds,
        train=tuple(cost.step_seconds * spec.env_steps for spec in group),
        evaluate=cost.eval_seconds,
    )


def print_plan(plan: Plan, console: Console) -> None:
    """One line of what there is to do, and one of how long it will take."""
    programs = len(grouped(plan.left))
    steps = sum(spec.env_steps for spec in plan.left)
    console.print(
        f"{_many(len(plan.specs), 'cell')} in {plan.study}: {plan.finished} finished, "
        f"{len(plan.left)} to run, {_many(programs, 'program')} to compile, "
        f"{steps / 1e6:.2f} million environment steps",
        markup=False,
    )
    for name in sorted({spec.memory for spec in plan.left}):
        if name in MEMORIES and MEMORIES[name].caution:
            console.print(f"{name}: {MEMORIES[name].caution}")
    for note in plan.notes:
        console.print(note, markup=False, soft_wrap=True)
    if plan.outcome and plan.left:
        known = {(cost.memory, cost.regime) for cost in plan.costs}
        wanted = {(spec.memory, spec.regime) for spec in plan.left}
        guessed = len(wanted - known)
        note = f"; {guessed} of {len(wanted)} memory models not measured yet" if guessed else ""
        console.print(f"about {duration(plan.outcome.seconds)}: {shares(plan.outcome)}{note}")


def shares(outcome: Outcome) -> str:
    """Where the time goes, in words."""
    parts = [(name, share) for name, share in outcome.shares.items() if share >= 0.005]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in parts)


def duration(seconds: float) -> str:
    """Seconds in the largest unit that fits.

    >>> duration(30), duration(600), duration(7200), duration(500_000)
    ('30 s', '10.0 min', '2.0 hours', '5.8 days')
    """
    for unit, size in (("days", 86400), ("hours", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def _many(number: int, thing: str) -> str:
    return f"{number} {thing}" + ("" if number == 1 else "s")
