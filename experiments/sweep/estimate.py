"""What training costs on this machine: measured, kept with the study, and used to look ahead."""

from __future__ import annotations

import heapq
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from agents.memory import MEMORIES
from experiments.results import published
from experiments.results.errors import UserError
from experiments.results.files import DamagedError, read_json, write_json
from experiments.results.spec import CellSpec, own_part
from experiments.results.store import Cell, machine, read_record
from experiments.results.tables import counted, format_duration
from experiments.train.compile import compile_program, lane_hyperparams, program_code
from popjax import make

CALIBRATION_SECONDS = 30.0  # no further model is measured after so long
QUICK_SECONDS = 2.0  # an update as short as this is timed again, warm
LONG_UPDATE = 1_000_000  # forward passes; of a longer update, a part is measured


@dataclass(frozen=True)
class Cost:
    """Seconds on one device: of compiling a program, of an environment step of one seed, and of
    an evaluation of all seeds."""

    env: str
    memory: str
    regime: str
    compile_seconds: float
    step_seconds: float
    eval_seconds: float


def read_costs(
    study: Path, specs: Iterable[CellSpec], say: Callable[[str], None] = lambda line: None
) -> list[Cost]:
    """What the cells of a study took here, and what was measured before they ran; `say` is called
    with a line if that file is damaged."""
    here, costs, path = _place(), [], study / "costs.json"
    if path.exists():
        try:
            stored = read_json(path, keys=("place", "costs"))
            if stored["place"] == here:
                costs = [_cost(path, row) for row in stored["costs"]]
        except UserError as error:
            say(f"{error} (its measurements are left out)")
    return costs + [cost for spec in specs if (cost := _of_cell(study, spec, here))]


def _cost(path: Path, row: dict[str, Any]) -> Cost:
    names = [f.name for f in fields(Cost)]
    if not isinstance(row, dict) or sorted(row) != sorted(names):
        raise DamagedError(path, "no costs")
    if not all(isinstance(row[name], int | float) for name in names if name.endswith("seconds")):
        raise DamagedError(path, "seconds that are no numbers")
    return Cost(**row)


def write_costs(study: Path, costs: Sequence[Cost]) -> None:
    """Keeps measured costs in a study's folder."""
    record = {"place": _place(), "costs": [asdict(cost) for cost in costs]}
    write_json(study / "costs.json", record)


def _of_cell(study: Path, spec: CellSpec, here: list) -> Cost | None:
    cell = Cell(study, spec)
    if not cell.finished:
        return None
    try:
        record, summary = read_record(cell.folder), read_json(cell.folder / "summary.json")
        steps, devices = summary.get("trained_steps"), summary.get("devices", 1)
        if not steps or [record["device"], record["cores"]] != here:
            return None
        return Cost(
            *(spec.env, spec.memory, spec.regime, float(summary["compile_seconds"])),
            step_seconds=devices * summary["train_seconds"] / steps,
            eval_seconds=float(devices * summary["eval_seconds"]),
        )
    except (UserError, KeyError, TypeError, ValueError):  # it is named where results are read
        return None


def _place() -> list:
    there = machine()
    return [there["device"], there["cores"]]


def measure(spec: CellSpec) -> Cost:
    """Compiles a cell's program for one update, and makes that update.

    Where an update is long, part of one is made: of one seed, with the environments of a single
    minibatch, in one pass. A step of n passes is taken to cost (1 + 3 n) / 4 times as much, as its
    forward passes; a seed costs the same beside others.
    """
    part = _part(spec)
    program = compile_program(part, num_updates=1)
    hyperparams = program.put(lane_hyperparams(part))
    state = program.start(program.lane_keys(part.seeds)[0], hyperparams)
    for _ in range(2):
        clock = time.perf_counter()
        state, metrics = program.advance(state, hyperparams)
        jax.block_until_ready((state, metrics))
        seconds = time.perf_counter() - clock
        if seconds > QUICK_SECONDS:
            break
    devices = program.trainer.lanes.size if program.trainer.lanes else 1
    pass_seconds = devices * seconds / (part.steps_per_update * len(part.seeds) * _passes(part))
    return Cost(
        *(spec.env, spec.memory, spec.regime, program.seconds),
        step_seconds=pass_seconds * _passes(spec),
        eval_seconds=pass_seconds * _eval_steps(spec),
    )


def _part(spec: CellSpec) -> CellSpec:
    passes = spec.steps_per_update * len(spec.seeds) * _passes(spec)
    if own_part(spec.regime) != "ppo" or passes < LONG_UPDATE:
        return spec
    ppo = spec.settings.ppo
    few = replace(
        ppo, num_envs=ppo.num_envs // ppo.num_minibatches, num_minibatches=1, num_epochs=1
    )
    return replace(spec, settings=replace(spec.settings, seeds=1, ppo=few))


def _eval_steps(spec: CellSpec) -> int:
    policies = 2 if own_part(spec.regime) == "ppo" else 1
    longest = make(spec.env).max_steps
    return policies * spec.settings.eval_episodes * longest * len(spec.seeds)


def _passes(spec: CellSpec) -> int:
    """How many forward passes a step of training is worth: acting, and three for each epoch."""
    epochs = spec.settings.ppo.num_epochs if own_part(spec.regime) == "ppo" else 1
    return 1 + 3 * epochs


def calibrate(
    specs: Sequence[CellSpec], known: Sequence[Cost], limit: float = CALIBRATION_SECONDS
) -> list[Cost]:
    """Measures one cell of each memory model of which nothing is known, until the limit in
    seconds; one that cannot be measured is left out."""
    measured: list[Cost] = []
    clock = time.perf_counter()
    for spec in specs:
        seen = {(cost.memory, cost.regime) for cost in (*known, *measured)}
        if (spec.memory, spec.regime) not in seen:
            if measured and time.perf_counter() - clock > limit:
                break
            try:
                measured.append(measure(spec))
            except Exception:  # it will fail again when it is run, and be reported then
                continue
    return measured


def estimate(costs: Sequence[Cost], spec: CellSpec) -> Cost:
    """The cost of a cell: its own if known, else from those of its memory and of its environment.

    The model is cost = overall x memory's ratio x environment's ratio, of medians; a ratio of
    which nothing is known is 1. Raises ValueError if nothing at all is known.
    """
    own = [c for c in costs if (c.env, c.memory, c.regime) == (spec.env, spec.memory, spec.regime)]
    if own:
        return own[-1]
    if not costs:
        raise ValueError("no cost is known")

    def guess(name: str) -> float:
        every = statistics.median(getattr(c, name) for c in costs)
        value = every
        for same in ("memory", "env"):
            alike = [getattr(c, name) for c in costs if getattr(c, same) == getattr(spec, same)]
            if alike and every:
                value *= statistics.median(alike) / every
        return value

    names = ("compile_seconds", "step_seconds", "eval_seconds")
    return Cost(spec.env, spec.memory, spec.regime, *(guess(name) for name in names))


KINDS = ("train", "evaluate", "compile", "start", "idle")


@dataclass(frozen=True)
class Job:
    """Cells that share a program, and their seconds on one device.

    lanes: seeds that run side by side. train: seconds of each cell. evaluate: of any of them.
    """

    name: str
    lanes: int
    compile: float
    train: tuple[float, ...]
    evaluate: float

    @property
    def seconds(self) -> float:
        return self.compile + sum(self.train) + len(self.train) * self.evaluate


@dataclass(frozen=True)
class Outcome:
    """What a sweep took. shares: of the time of all devices, by kind; they add up to 1.

    idle: a device has nothing to do, since no cell is left or the seeds do not fill it.
    """

    seconds: float
    shares: dict[str, float]
    ends: tuple[float, ...] = field(default=(), repr=False)


def inline(jobs: Sequence[Job], devices: int, beside: bool, start: float = 0.0) -> Outcome:
    """One process that deals the lanes of each cell out to all its devices."""
    spread = []
    for job in jobs:
        rounds = -(-job.lanes // devices)
        share = rounds / job.lanes
        train = tuple(seconds * share for seconds in job.train)
        spread.append(Job(job.name, job.lanes, job.compile, train, job.evaluate * share))
    alone = run(spread, 1, beside, start)
    busy = {name: alone.shares[name] * alone.seconds for name in KINDS}
    useful = {
        "train": sum(sum(job.train) for job in jobs) / devices,
        "evaluate": sum(job.evaluate * len(job.train) for job in jobs) / devices,
    }
    busy["idle"] += sum(busy[name] - seconds for name, seconds in useful.items())
    return _outcome(alone.seconds, busy | useful, alone.ends)


def run(
    jobs: Sequence[Job], workers: int, beside: bool, start: float = 0.0, each: bool = False
) -> Outcome:
    """Workers with one device each, and one queue.

    beside: compiling runs beside training, without taking anything from it. start: seconds until
    a worker can compile, once, or if `each`, before every program (a job of its own).
    """
    free = [(0.0, worker) for worker in range(workers)]  # when a worker may take its next
    ready = [0.0] * workers  # when its device is free
    compiler = [0.0] * workers  # when its compiler is
    first = [True] * workers
    busy = dict.fromkeys(KINDS, 0.0)
    ends = []
    for job in jobs:
        taken, worker = heapq.heappop(free)
        starting = start if first[worker] or each else 0.0
        first[worker] = False
        begin = max(taken, compiler[worker])
        compiled = begin + starting + job.compile
        compiler[worker] = compiled
        run_from = max(compiled, ready[worker])
        waited = run_from - ready[worker]
        busy["start"] += min(waited, starting)
        busy["compile"] += max(0.0, waited - starting)
        busy["train"] += sum(job.train)
        busy["evaluate"] += job.evaluate * len(job.train)
        ready[worker] = run_from + job.seconds - job.compile
        ends.append(ready[worker])
        heapq.heappush(free, (run_from if beside and not each else ready[worker], worker))
    seconds = max(ready)
    busy["idle"] = workers * seconds - sum(busy.values())
    return _outcome(seconds, {name: time / workers for name, time in busy.items()}, tuple(ends))


def _outcome(seconds: float, busy: dict[str, float], ends: tuple[float, ...]) -> Outcome:
    total = seconds or 1.0
    return Outcome(seconds, {name: max(0.0, busy[name]) / total for name in KINDS}, ends)


@dataclass(frozen=True)
class Plan:
    """The cells of a study in the order in which they are run, longest program first.

    costs: what is known, empty if nothing was measured. outcome: what the rest is expected to
    take here. notes: what is wrong with the files of costs. basis: what the costs rest on, if they
    were not measured here.
    """

    study: Path
    specs: tuple[CellSpec, ...]
    finished: int
    costs: tuple[Cost, ...]
    outcome: Outcome | None
    notes: tuple[str, ...] = ()
    basis: str = ""

    @property
    def left(self) -> tuple[CellSpec, ...]:
        return self.specs[self.finished :]


def make_plan(
    study: Path,
    specs: Sequence[CellSpec],
    measured: bool = True,
    in_order: bool = False,
    workers: int = 1,
) -> Plan:
    """The plan of a study. measured: take a short measurement of memory models of which nothing is
    known; it is kept in the study's folder if there is one. in_order: not the longest first.
    workers: processes side by side, each with its share of the cores."""
    specs = list({spec.id: spec for spec in specs}.values())
    finished = [spec for spec in specs if Cell(study, spec).finished]
    left = [spec for spec in specs if not Cell(study, spec).finished]
    notes: list[str] = []
    costs = read_costs(study, specs, notes.append)
    own = {(cost.env, cost.memory, cost.regime) for cost in costs}
    kept = [c for c in kept_costs(left) if (c.env, c.memory, c.regime) not in own]
    if measured and left:
        longest = sorted(left, key=lambda spec: spec.env_steps, reverse=True)
        if fresh := calibrate(longest, [*costs, *kept]):
            costs = [*fresh, *costs]
            if study.exists():
                try:
                    write_costs(study, costs)
                except OSError as error:
                    notes.append(f"costs.json is not kept: {error.strerror or error}")
    basis = ELSEWHERE if kept else ""
    if not costs and not kept:
        kept = rough_costs(left)
        basis = ROUGHLY if kept else ""
    costs = [*kept, *costs]
    groups, outcome = grouped(left), None
    if costs:
        jobs = {code: job_of(group, costs) for code, group in groups.items()}
        order = sorted(groups, key=lambda code: jobs[code].seconds, reverse=True)
        ordered = [jobs[code] for code in order]
        left = [spec for code in (groups if in_order else order) for spec in groups[code]]
        beside = jax.default_backend() != "cpu"  # on a CPU, compiling takes from training
        if workers > 1:
            outcome = run(ordered, workers, beside=False)
        else:
            outcome = inline(ordered, jax.local_device_count(), beside)
    return Plan(
        Path(study),
        (*finished, *left),
        len(finished),
        tuple(costs),
        outcome,
        tuple(notes),
        basis,
    )


ELSEWHERE = " by what it took 2 cores of another machine"
ROUGHLY = ", roughly, by what other settings took 2 cores of another machine"
COMPILE_SECONDS = 10.0  # where it was not measured: of PPO with a narrow network, on one core


def kept_costs(specs: Iterable[CellSpec]) -> list[Cost]:
    """What cells of these settings took where the results kept with the sources were trained
    (`experiments.results.published`): the quickest run of each, a machine of 2 cores."""
    by_cell: dict[tuple[str, str], list[published.Run]] = {}
    for result in published.results():
        by_cell.setdefault((result.env, result.memory), []).extend(result.runs)
    costs = []
    for spec in specs:
        runs = [
            run.seconds / (run.steps * len(run.seeds))
            for run in by_cell.get((spec.env, spec.memory), ())
            if spec.regime == "ppo" and run.seconds and _trains_alike(run.settings, spec)
        ]
        if runs:
            evaluate = min(runs) / _passes(spec) * _eval_steps(spec)
            cell = (spec.env, spec.memory, spec.regime)
            costs.append(Cost(*cell, COMPILE_SECONDS, min(runs), evaluate))
    return costs


def rough_costs(specs: Iterable[CellSpec]) -> list[Cost]:
    """A guess of what cells take of which nothing is known, from all results kept with the sources:
    a pass costs as much as in the median run of the same memory, or of any, in proportion to a
    power of the width."""
    kept = published.results()
    costs = []
    for spec in specs:
        if spec.regime != "ppo":
            continue
        own = [result for result in kept if result.memory == spec.memory] or kept
        rates = [_pass_seconds(run, spec) for result in own for run in result.runs if run.seconds]
        if rates:
            rate = statistics.median(rates)
            step, evaluate = rate * _passes(spec), rate * _eval_steps(spec)
            costs.append(Cost(spec.env, spec.memory, spec.regime, COMPILE_SECONDS, step, evaluate))
    return costs


WIDTH_POWER = 1.3  # between a product that waits for memory and one that computes


def _pass_seconds(run: published.Run, spec: CellSpec) -> float:
    """Seconds of a forward pass of the cell's width, by those of a kept run."""
    settings = published.comparable(run.settings)
    passes = 1 + 3 * settings["ppo"]["num_epochs"]
    wider = spec.settings.network.features / settings["network"]["features"]
    return run.seconds / (run.steps * len(run.seeds) * passes) * wider**WIDTH_POWER


def _trains_alike(settings: dict[str, Any], spec: CellSpec) -> bool:
    """Whether an update of these settings costs as much as one of the cell."""
    one = published.comparable(settings)
    other = published.comparable(spec.resolved()["settings"])
    return all(one[name] == other[name] for name in ("network", "ppo"))


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
        f"{counted(len(plan.specs), 'cell')} in {plan.study}: {plan.finished} finished, "
        f"{len(plan.left)} to run, {counted(programs, 'program')} to compile, "
        f"{steps / 1e6:.2f} million environment steps",
        markup=False,
        soft_wrap=True,
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
        time_words = format_duration(plan.outcome.seconds)
        console.print(
            f"about {time_words}{plan.basis}: {shares(plan.outcome)}{note}", soft_wrap=True
        )


def shares(outcome: Outcome) -> str:
    """Where the time goes, in words."""
    parts = [(name, share) for name, share in outcome.shares.items() if share >= 0.005]
    return ", ".join(f"{name} {100 * share:.0f} %" for name, share in parts)
