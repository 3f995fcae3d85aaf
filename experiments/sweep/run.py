"""Running many cells: say what will be done, do it, go on after any interruption."""

from __future__ import annotations

import errno
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.results.errors import Stopped, UserError
from experiments.results.lock import owner
from experiments.results.spec import CellSpec
from experiments.results.store import Cell, reason
from experiments.results.tables import format_duration
from experiments.sweep.background_compiler import BackgroundCompiler
from experiments.sweep.estimate import Plan, make_plan, print_plan
from experiments.sweep.launch.elsewhere import run_elsewhere
from experiments.sweep.launch.resources import Launch
from experiments.train.process import Interrupt, interruptible
from experiments.train.run import run_cell

ATTEMPTS = 2
POLL_SECONDS = 0.5
UNWRITTEN = "its folder cannot be written to"


def run_cells(
    study: Path,
    specs: Sequence[CellSpec],
    console: Console,
    log: Sequence[str] = (),
    how: Launch | None = None,
) -> list[str]:
    """Runs the cells; returns what became of each: "finished", "skipped" (it was
    before) or "failed".

    A cell that fails is tried once more after the others, and they go on. Cells that another
    process is at work on are waited for. Ctrl-C ends with the segment under way, saved. A disk
    that is full or a folder that is gone ends the sweep with a UserError. log: names of
    `experiments.train.loggers`. how: where they run; if it is given, an estimate is printed first,
    after a short measurement if nothing is known.
    """
    inline = how is None or how.launcher == "inline"
    began, outcomes = time.perf_counter(), {}
    with whole(study):
        restore_records(study, specs)
        try:
            plan = make_plan(study, specs, measured=how is not None and inline)
            print_plan(plan, console)
            if inline:
                outcomes = _run_all(plan, console, log)
            else:
                outcomes = run_elsewhere(study, plan.specs, how, log, console)
        except KeyboardInterrupt:
            console.print(
                f"stopped; what is finished is kept in {study}, the same command goes on from "
                "there",
                markup=False,
            )
            raise Stopped from None
    summarise(plan, outcomes, time.perf_counter() - began, console)
    return [outcomes[spec.id] for spec in specs]


def restore_records(study: Path, specs: Sequence[CellSpec]) -> None:
    """Writes the spec of finished cells anew where its file is gone."""
    for spec in specs:
        cell = Cell(study, spec)
        if cell.finished and not (cell.folder / "spec.json").exists():
            with suppress(OSError):  # it is named where the results are read
                cell.open()


@contextmanager
def whole(study: Path) -> Iterator[None]:
    """Turns a disk that is full, or a study that is gone, into a UserError."""
    try:
        yield
    except (KeyboardInterrupt, UserError):
        raise
    except Exception as error:
        line = stopper(study, error)
        if line is None:
            raise
        raise UserError(line) from error


def stopper(study: Path, error: Exception) -> str | None:
    """Why no other cell can run either, in one line; None if this error is the cell's own."""
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left on device" in str(error) or "quota exceeded" in str(error).lower():
        return (
            f"the disk of {study} is full: nothing that was finished is lost; make room, and the "
            "same command goes on"
        )
    if not study.exists():
        return (
            f"{study} was removed or moved while the sweep ran: put it back and the same command "
            "goes on, without it the command begins anew"
        )
    return None


def _run_all(plan: Plan, console: Console, log: Sequence[str]) -> dict[str, str]:
    """Every cell once, those that failed or were busy again; the outcome of each by its id."""
    study, outcomes = plan.study, {}
    queue, attempts, waiting = deque(plan.specs), Counter(), False
    with (
        BackgroundCompiler() as ahead,
        interruptible(lambda text: console.print(text)) as interrupt,
    ):
        while queue:
            spec = queue.popleft()
            following = next((s for s in queue if not Cell(study, s).finished), None)
            ahead.keep([spec, following] if following else [spec])
            title = _title(spec, plan.specs)
            try:
                work = partial(_run_one, study, spec, title, console, log)
                outcome = work(ahead, following, interrupt)
            except UserError as error:
                outcome = _failed(study, spec, title, error, console)
            except Exception as error:
                if stopper(study, error):
                    raise
                outcome = _failed(study, spec, title, error, console)
                attempts[spec.id] += 1
                if attempts[spec.id] < ATTEMPTS:
                    console.print(f"{title}  will be tried once more")
                    queue.append(spec)
            if outcome == "busy":  # it may be left unfinished by the other
                if not waiting:
                    holder = owner(Cell(study, spec).folder / "lock")
                    console.print(f"{title}  waits for {holder}", markup=False)
                waiting = True
                if not any(s for s in queue if outcomes.get(s.id) != "busy"):
                    time.sleep(POLL_SECONDS)
                queue.append(spec)
            outcomes[spec.id] = outcome
    return outcomes


def _failed(study: Path, spec: CellSpec, title: str, error: Exception, console: Console) -> str:
    console.print(f"{title}  failed: {reason(error)}", style="red", markup=False)
    try:
        Cell(study, spec).fail(error)
    except OSError as second:
        if stopper(study, second):
            raise
        console.print(f"{title}  cannot write to its folder: {reason(second)}", markup=False)
    return "failed"


def _run_one(
    study: Path,
    spec: CellSpec,
    title: str,
    console: Console,
    log: Sequence[str],
    ahead: BackgroundCompiler,
    following: CellSpec | None,
    interrupt: Interrupt,
) -> str:
    began = time.perf_counter()
    last: dict[str, Any] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[news]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(title, total=spec.num_updates, news="")

        def report(news: dict[str, Any]) -> None:
            last.update(news)
            progress.update(task, completed=news["update"], news=format_news(news))
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
            outcome = run_cell(study, spec, report, log, compiled)
        finally:
            interrupt.running = False
    if outcome == "finished":
        took = format_duration(time.perf_counter() - began)
        console.print(f"{title}  {format_news(last | {'stage': 'training'})}, {took}")
    elif outcome == "skipped":
        console.print(f"{title}  finished before")
    return outcome


def summarise(plan: Plan, outcomes: dict[str, str], seconds: float, console: Console) -> None:
    """How it ended: what became of the cells, how long it took, what failed and why."""
    counts = {kind: list(outcomes.values()).count(kind) for kind in ("finished", "failed")}
    expected = (
        f" (about {format_duration(plan.outcome.seconds)} were expected)" if plan.outcome else ""
    )
    console.print(
        f"{counts['finished']} cells finished, {counts['failed']} failed, "
        f"in {format_duration(seconds)}{expected}"
    )
    for spec in plan.specs:
        if outcomes[spec.id] == "failed":
            cell = Cell(plan.study, spec)
            why = cell.failure() or UNWRITTEN
            console.print(f"failed: {spec.env} {spec.memory}: {why}", markup=False)
            console.print(f"        {cell.folder / 'failure.txt'}", markup=False)


def _title(spec: CellSpec, specs: Sequence[CellSpec]) -> str:
    costume = "" if spec.regime == "ppo" else f" as {spec.regime}"
    return f"[{specs.index(spec) + 1}/{len(specs)}] {spec.env} {spec.memory}{costume}"


def format_news(news: dict[str, Any]) -> str:
    """The latest of a cell in a few words."""
    if news["stage"] != "training":
        return news["stage"]
    parts = []
    for headline in ("return", "nats", "loss"):
        if news.get(headline) is not None:
            parts.append(f"{headline} {news[headline]:.3f}")
    if news.get("steps_per_second"):
        parts.append(f"{news['steps_per_second'] / 1e3:.1f}k steps/s")
    if news.get("diverged"):
        parts.append(f"diverged: seeds {', '.join(map(str, news['diverged']))}")
    return ", ".join(parts)
