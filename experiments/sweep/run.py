"""Runs many cells: prints the plan, runs it, and resumes after any interruption."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.results.errors import Stopped, UserError
from experiments.results.spec import CellSpec
from experiments.results.store import Cell, reason
from experiments.results.tables import counted, format_duration
from experiments.sweep.background_compiler import BackgroundCompiler
from experiments.sweep.display import Display
from experiments.sweep.estimate import Plan, make_plan, print_plan
from experiments.sweep.faults import ATTEMPTS, stopper, whole
from experiments.sweep.launch.elsewhere import run_elsewhere
from experiments.sweep.launch.resources import Launch
from experiments.sweep.workers import POLL_SECONDS, Worker, run_side_by_side, workers_for
from experiments.train.process import Interrupt, interruptible
from experiments.train.run import run_cell

Say = Callable[[str], None]
UNWRITTEN = "its folder cannot be written to"


def run_cells(
    study: Path,
    specs: Sequence[CellSpec],
    console: Console,
    log: Sequence[str] = (),
    how: Launch | None = None,
    in_order: bool = False,
) -> list[str]:
    """Runs the cells; returns the outcome of each: "finished", "skipped" (it was
    before) or "failed".

    A cell that fails is tried once more after the others, and they go on. Cells that another
    process is at work on are waited for. Ctrl-C ends with the segment under way, saved. A disk
    that is full or a folder that is gone ends the sweep with a UserError. log: names of
    `experiments.train.loggers`. how: where they run, and how many side by side; if it is given, an
    estimate is printed first, after a short measurement if nothing is known. in_order: not the
    longest first.
    """
    inline = how is None or how.launcher == "inline"
    measured = how is not None and inline
    began, outcomes, first = time.perf_counter(), {}, None
    with whole(study):
        restore_records(study, specs)
        try:
            left = [spec for spec in specs if not Cell(study, spec).finished]
            workers = workers_for(how, left) if inline else 1
            if workers > 1:  # it imports JAX while the plan is made
                first = Worker(study, log, workers)
            plan = make_plan(study, specs, measured=measured, in_order=in_order, workers=workers)
            print_plan(plan, console)
            if inline:
                outcomes = _run_here(plan, workers, first, console, log, in_order)
            else:
                outcomes = run_elsewhere(study, plan.specs, how, log, console)
        except KeyboardInterrupt:
            console.print(
                f"stopped; what is finished is kept in {study}, the same command goes on from "
                "there",
                markup=False,
            )
            raise Stopped from None
        finally:
            if first:
                first.end()
    summarise(plan, outcomes, time.perf_counter() - began, console)
    return [outcomes[spec.id] for spec in specs]


def restore_records(study: Path, specs: Sequence[CellSpec]) -> None:
    """Rewrites the spec of finished cells whose file is missing."""
    for spec in specs:
        cell = Cell(study, spec)
        if cell.finished and not (cell.folder / "spec.json").exists():
            with suppress(OSError):  # it is named where the results are read
                cell.open()


def _run_here(
    plan: Plan,
    workers: int,
    first: Worker | None,
    console: Console,
    log: Sequence[str],
    in_order: bool,
) -> dict[str, str]:
    """The cells on this machine: in this process, or in one for each worker. first: a worker that
    was started before."""

    def say(line: str) -> None:
        console.print(line, markup=False)

    with Display(plan.study, plan.specs, console) as display:
        if workers < 2:
            return _run_all(plan, display, say, log)
        before = dict.fromkeys((spec.id for spec in plan.specs[: plan.finished]), "skipped")
        for spec in plan.specs[: plan.finished]:
            display.ended(spec, "skipped")
        return before | run_side_by_side(
            *(plan.study, plan.left, workers, display, say, log), both_ends=in_order, first=first
        )


def _run_all(plan: Plan, display: Display, say: Say, log: Sequence[str]) -> dict[str, str]:
    """Every cell once, those that failed or were busy again; the outcome of each by its id."""
    study, outcomes = plan.study, {}
    queue, attempts = deque(plan.specs), Counter()
    with BackgroundCompiler() as ahead, interruptible(say) as interrupt:
        while queue:
            spec, why = queue.popleft(), ""
            following = next((s for s in queue if not Cell(study, s).finished), None)
            ahead.keep([spec, following] if following else [spec])
            display.begins(spec)
            try:
                outcome = _run_one(study, spec, display, log, ahead, following, interrupt)
            except UserError as error:
                outcome, why = "failed", _failed(Cell(study, spec), error)
            except Exception as error:
                if stopper(study, error):
                    raise
                outcome, why = "failed", _failed(Cell(study, spec), error)
                attempts[spec.id] += 1
            outcomes[spec.id] = outcome
            display.ended(spec, outcome, why)
            if 0 < attempts[spec.id] < ATTEMPTS and outcome == "failed":
                say(f"{display.title(spec)}  will be tried once more")
                queue.append(spec)
            if outcome == "busy":  # it may be left unfinished by the other
                queue.append(spec)
                if not any(s for s in queue if outcomes.get(s.id) != "busy"):
                    time.sleep(POLL_SECONDS)
    return outcomes


def _failed(cell: Cell, error: Exception) -> str:
    """Why a cell failed, which is written beside what it had reached."""
    try:
        cell.fail(error)
    except OSError as second:
        if stopper(cell.folder.parent, second):
            raise
        return f"{reason(error)}; cannot write to its folder: {reason(second)}"
    return reason(error)


def _run_one(
    study: Path,
    spec: CellSpec,
    display: Display,
    log: Sequence[str],
    ahead: BackgroundCompiler,
    following: CellSpec | None,
    interrupt: Interrupt,
) -> str:
    def report(news: dict[str, Any]) -> None:
        display.news(spec, news)
        if news["stage"] == "training":
            interrupt.check()
        interrupt.running = news["stage"] == "training"

    def compiled(spec: CellSpec):
        ahead.begin(spec)
        if following:
            ahead.begin(following)
        program = ahead(spec)
        interrupt.running = True
        return program

    try:
        return run_cell(study, spec, report, log, compiled)
    finally:
        interrupt.running = False


def summarise(plan: Plan, outcomes: dict[str, str], seconds: float, console: Console) -> None:
    """Prints the outcome: how many cells finished, how long it took, what failed and why."""
    counts = {kind: list(outcomes.values()).count(kind) for kind in ("finished", "failed")}
    expected = (
        f" (about {format_duration(plan.outcome.seconds)} were expected)" if plan.outcome else ""
    )
    console.print(
        f"{counted(counts['finished'], 'cell')} finished, {counts['failed']} failed, "
        f"in {format_duration(seconds)}{expected}"
    )
    for spec in plan.specs:
        if outcomes[spec.id] == "failed":
            cell = Cell(plan.study, spec)
            why = cell.failure() or UNWRITTEN
            console.print(f"failed: {spec.env} {spec.memory}: {why}", markup=False)
            console.print(f"        {cell.folder / 'failure.txt'}", markup=False)
