"""A sweep on devices that are not here: a small discrete-event model.

A worker has one program at a time; it takes the longest of what is left. It compiles, trains its
cells one after another, evaluates each. Where compiling runs beside training, a worker takes its
next program as soon as the present one runs, and compiles it meanwhile. What is not modelled:
queues of other people's jobs, failures, and that programs come faster from a cache.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

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
