"""Cells side by side, each in a process of its own with its share of the cores.

A small network keeps one core busy and leaves the others idle, however many threads it is given.
So on a CPU several cells are trained at once. Each process takes the next cell when it is done with
one, reports its progress, and stops after the current segment on request.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import jax

from experiments.results.errors import UserError
from experiments.results.spec import CellSpec
from experiments.results.store import Cell, reason
from experiments.sweep.display import Display
from experiments.sweep.faults import ATTEMPTS, stopper
from experiments.sweep.launch.resources import Launch
from experiments.train.compile import Program, compile_program, keep_compiled_programs
from experiments.train.process import interruptible, keep_pages
from experiments.train.room import data, memory_here, rough_parameters
from experiments.train.run import Report, run_cell

POLL_SECONDS = 0.5
MOST = 8  # beyond these, the disk and the memory bus are what they wait for
PROCESS_BYTES = 8e8  # of Python, JAX and the compiler, before any array
SHARE = 0.7  # of the memory, for all of them together


def cores() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_for(how: Launch | None, specs: Sequence[CellSpec]) -> int:
    """How many cells run in parallel: the requested number; by default as many as cores and memory
    allow on a CPU, and one on an accelerator, which all seeds of a cell fill together."""
    if how is None or not specs:
        return 1
    if how.workers:
        return min(how.workers, len(specs))
    if jax.default_backend() != "cpu" or jax.local_device_count() > 1:
        return 1
    largest = max(len(spec.seeds) * (rough_parameters(spec) + data(spec)) for spec in specs)
    room = int(min(SHARE * memory_here() // (PROCESS_BYTES + largest), MOST))
    return max(1, min(cores(), room, len(specs)))


def run_side_by_side(
    study: Path,
    specs: Sequence[CellSpec],
    workers: int,
    display: Display,
    say: Callable[[str], None],
    log: Sequence[str] = (),
    both_ends: bool = False,
    hire: Callable[[Path, Sequence[str], int], Worker] | None = None,
    first: Worker | None = None,
) -> dict[str, str]:
    """Runs the cells in their order, `workers` at a time. Returns the outcome of each by its id,
    see `experiments.sweep.run.run_cells`. `say` is called with lines for the caller.

    both_ends: every second worker takes the last remaining cell, so that of cells sorted by cost
    the cheap ones end early and no expensive one is left for the end; and the first cell compiles
    alone, so that its result is there sooner. hire: starts a worker. first: one that was started
    before.
    """
    queue, later, outcomes, attempts = deque(specs), deque(), {}, Counter()
    hire = hire or Worker
    team = [first or hire(study, log, workers)]
    alone = both_ends  # until the first cell trains
    try:
        with interruptible(say) as interrupt:
            interrupt.running = True  # from here on, Ctrl-C is passed on to the workers
            while queue or later or any(worker.spec for worker in team):
                while not alone and len(team) < workers:
                    team.append(hire(study, log, workers))
                for place, worker in enumerate(team):
                    if not queue:
                        queue, later = later, queue
                    if worker.spec is None and queue and not interrupt.asked:
                        last = both_ends and place % 2
                        worker.give(queue.pop() if last else queue.popleft())
                if interrupt.asked:
                    _stop(team)
                    raise KeyboardInterrupt
                for worker in _heard(team):
                    spec = worker.spec
                    kind, what = worker.listen()
                    if kind == "news":
                        display.news(spec, what)
                        alone = alone and what["stage"] == "compiling"
                        continue
                    worker.spec, alone = None, False
                    if kind == "stop":
                        raise UserError(what)
                    if kind == "died":
                        Cell(study, spec).fail(UserError(what))
                        team[team.index(worker)] = hire(study, log, workers)
                        kind = "failed"
                    attempts[spec.id] += kind == "failed"
                    again = kind == "failed" and attempts[spec.id] < ATTEMPTS
                    outcomes[spec.id] = "failed" if kind == "refused" else kind
                    display.ended(spec, outcomes[spec.id], what)
                    if again:
                        say(f"{display.title(spec)}  will be tried once more")
                    if again or kind == "busy":  # another process may leave it unfinished
                        later.append(spec)
                    if kind == "busy" and not queue:
                        time.sleep(POLL_SECONDS)
    finally:
        for worker in team:
            worker.end()
    return outcomes


def _heard(team: Sequence[Worker]) -> list[Worker]:
    """The workers with a message; none if there is none for a moment."""
    by_end = {worker.connection: worker for worker in team if worker.spec}
    return [by_end[end] for end in wait(list(by_end), timeout=0.2)]


def _stop(team: Sequence[Worker]) -> None:
    """Lets the segments under way end; a second Ctrl-C interrupts the wait."""
    working = [worker for worker in team if worker.spec]
    for worker in working:
        worker.process.terminate()
    for worker in working:
        while worker.process.is_alive():
            while worker.connection.poll():  # a full pipe would hold it up
                if worker.listen()[0] != "news":
                    break
            worker.process.join(0.05)


class Worker:
    """A process that runs cells, and which cell it has."""

    def __init__(self, study: Path, log: Sequence[str], workers: int):
        context = multiprocessing.get_context("spawn")
        self.spec: CellSpec | None = None
        self.connection, theirs = context.Pipe()
        arguments = (theirs, str(study), tuple(log), workers)
        self.process = context.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        theirs.close()

    def give(self, spec: CellSpec) -> None:
        self.spec = spec
        with suppress(OSError):  # of one that died, which is noticed where it is listened to
            self.connection.send(spec)

    def listen(self) -> tuple[str, Any]:
        """What it says: ("news", ...) or how its cell ended, with why."""
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            self.process.join(5)
            code = self.process.exitcode
            killed = code is not None and -code == signal.SIGKILL
            why = " (killed: out of memory?)" if killed else ""
            return "died", f"its process ended with exit code {code}{why}"

    def end(self) -> None:
        """Ends it, whatever it does: what is finished is on the disk."""
        self.connection.close()
        self.process.kill()
        self.process.join()


def _serve(connection: Connection, study: str, log: tuple[str, ...], workers: int) -> None:
    """The loop of one process: one cell after another, until the parent ends."""
    if hasattr(os, "setpgid"):  # Ctrl-C reaches the command alone, which passes it on
        os.setpgid(0, 0)
    os.environ["NPROC"] = str(max(1, cores() // workers))  # which XLA takes for the number of cores
    os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{0.9 / workers:.2f}")
    keep_pages()
    keep_compiled_programs(whole=True)
    parent = os.getppid()
    gone = suppress(KeyboardInterrupt, EOFError, BrokenPipeError, ConnectionResetError)
    with gone, interruptible(lambda line: None) as interrupt:
        while True:
            spec = connection.recv()

            def report(news: dict[str, Any]) -> None:
                connection.send(("news", news))
                if os.getppid() != parent:
                    raise KeyboardInterrupt
                if news["stage"] == "training":
                    interrupt.check()
                interrupt.running = news["stage"] == "training"

            def compiled(spec: CellSpec) -> Program:
                program = compile_program(spec)
                interrupt.running = True
                return program

            outcome = _outcome(Path(study), spec, report, log, compiled)
            interrupt.running = False
            connection.send(outcome)


def _outcome(
    study: Path, spec: CellSpec, report: Report, log: Sequence[str], compiled: Callable
) -> tuple[str, str]:
    """How a cell ended, and why where it failed: what is no use to try again is "refused", and
    what stops every other cell too "stop"."""
    try:
        return run_cell(study, spec, report, log, compiled), ""
    except (BrokenPipeError, ConnectionResetError):  # the parent is gone
        raise
    except Exception as error:
        if line := stopper(study, error):
            return "stop", line
        with suppress(OSError):
            Cell(study, spec).fail(error)
        return "refused" if isinstance(error, UserError) else "failed", reason(error)
