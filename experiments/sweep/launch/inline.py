"""Where the cells of a sweep run: here, as jobs of SLURM, or as tasks of Ray.

A launcher is a function that starts `experiments.sweep.launch.worker.work` for each cell and
waits. What became of a cell is read from its folder alone, so all are thin, and a sweep that was
begun with one can be ended with another. One line in `LAUNCHERS` and `popjax sweep --launcher`
knows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from rich.console import Console

from agents.ranges import Within
from experiments.results.errors import UserError
from experiments.results.ranges import check
from experiments.results.spec import CellSpec
from experiments.results.store import Cell
from popjax.words import nearest


@dataclass(frozen=True)
class Launch:
    """Where to run, and what each cell gets there."""

    launcher: str = "inline"
    """inline (this process, all its devices), slurm or ray (one cell a job)."""
    gpus: Annotated[float, Within(0, 1024)] = 0.0
    """GPUs of each cell; with ray a part of one will do."""
    cpus: Annotated[int, Within(1, 4096)] = 1
    """CPU cores of each cell."""
    partition: str = ""
    """SLURM: the partition."""
    hours: Annotated[float, Within(0, 8760, above=True)] = 24.0
    """SLURM: time limit of a job; one that is cut off goes on in the next."""
    max_jobs: Annotated[int, Within(1, 100_000)] = 256
    """SLURM: how many cells run at a time."""
    ray_address: str = ""
    """Ray: the cluster, such as auto or ray://head:10001; one of this machine if not given."""

    def __post_init__(self):
        if self.launcher not in ("inline", *LAUNCHERS):
            raise UserError(nearest(self.launcher, ("inline", *LAUNCHERS), "launcher"))
        check(self)
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise UserError(f"a cell gets a part of one GPU or whole ones, not {self.gpus}")
        if self.launcher == "slurm" and self.gpus != int(self.gpus):
            raise UserError(f"SLURM gives whole GPUs only, not {self.gpus}")


def on_slurm(*args) -> Iterator[None]:
    """See `experiments.sweep.launch.slurm`."""
    from experiments.sweep.launch.slurm import launch

    return launch(*args)


def on_ray(*args) -> Iterator[None]:
    """See `experiments.sweep.launch.ray`."""
    from experiments.sweep.launch.ray import launch

    return launch(*args)


# Each is called with (study, cells, Launch, log, console) and yields while its jobs run.
LAUNCHERS: dict[str, Callable[..., Iterator[None]]] = {"slurm": on_slurm, "ray": on_ray}


def run_elsewhere(
    study: Path, specs: Sequence[CellSpec], how: Launch, log: Sequence[str], console: Console
) -> dict[str, str]:
    """Starts the unfinished cells and waits for all; the outcome of each by its id."""
    study = study.resolve()
    outcomes = {spec.id: "skipped" for spec in specs if Cell(study, spec).finished}
    left = [spec for spec in specs if spec.id not in outcomes]
    for spec in left:  # what an earlier attempt said is over
        (Cell(study, spec).folder / "failure.txt").unlink(missing_ok=True)
    began, told = time.perf_counter(), set()
    if left:
        for _ in LAUNCHERS[how.launcher](study, left, how, tuple(log), console):
            _tell(study, left, told, began, console)
    _tell(study, left, told, began, console)
    for spec in left:
        cell = Cell(study, spec)
        outcomes[spec.id] = "finished" if cell.finished else "failed"
        if not cell.finished and not cell.failure():
            cell.fail(UserError("its job ended without a result"))
    return outcomes


def _tell(study: Path, specs: Sequence[CellSpec], told: set[str], began: float, console) -> None:
    """One line for each cell that was not finished before."""
    for spec in specs:
        if spec.id not in told and Cell(study, spec).finished:
            told.add(spec.id)
            took = time.perf_counter() - began
            console.print(
                f"[{len(told)}/{len(specs)}] {spec.env} {spec.memory}  finished after {took:.0f} s",
                markup=False,
            )
