"""What training costs on this machine: measured, kept with the study, and used to look ahead."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import jax

from experiments.errors import UserError
from experiments.files import DamagedError, read_json, write_json
from experiments.programs import compile_program, lane_hyperparams
from experiments.results import Cell, machine, read_record
from experiments.specs import CellSpec, own_part
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
