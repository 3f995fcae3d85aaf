"""Where the cells of a sweep run: here, as jobs of SLURM, or as tasks of Ray.

A launcher is a function that starts `experiments.sweep.launch.worker.work` for each cell and
waits. What became of a cell is read from its folder alone, so all are thin, and a sweep that was
begun with one can be ended with another. One line in `STARTERS` and `popjax sweep --launcher`
knows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rich.console import Console

from experiments.results.errors import UserError
from experiments.results.spec import CellSpec
from experiments.results.store import Cell
from experiments.sweep.launch.resources import Launch


def on_slurm(*args) -> Iterator[None]:
    """See `experiments.sweep.launch.slurm`."""
    from experiments.sweep.launch.slurm import launch

    return launch(*args)


def on_ray(*args) -> Iterator[None]:
    """See `experiments.sweep.launch.ray`."""
    from experiments.sweep.launch.ray import launch

    return launch(*args)


# Each is called with (study, cells, Launch, log, console) and yields while its jobs run.
STARTERS: dict[str, Callable[..., Iterator[None]]] = {"slurm": on_slurm, "ray": on_ray}


def run_elsewhere(
    study: Path, specs: Sequence[CellSpec], how: Launch, log: Sequence[str], console: Console
) -> dict[str, str]:
    """Starts the unfinished cells and waits for all; the outcome of each by its id."""
    study = study.resolve()
    outcomes = {spec.id: "skipped" for spec in specs if Cell(study, spec).finished}
    left = [spec for spec in specs if spec.id not in outcomes]
    for spec in left:  # what an earlier attempt said is over
        (Cell(study, spec).folder / "failure.txt").unlink(missing_ok=True)
    began, announced = time.perf_counter(), set()
    if left:
        for _ in STARTERS[how.launcher](study, left, how, tuple(log), console):
            _announce(study, left, announced, began, console)
    _announce(study, left, announced, began, console)
    for spec in left:
        cell = Cell(study, spec)
        outcomes[spec.id] = "finished" if cell.finished else "failed"
        if not cell.finished and not cell.failure():
            cell.fail(UserError("its job ended without a result"))
    return outcomes


def _announce(
    study: Path, specs: Sequence[CellSpec], announced: set[str], began: float, console
) -> None:
    """One line for each cell that was not finished before."""
    for spec in specs:
        if spec.id not in announced and Cell(study, spec).finished:
            announced.add(spec.id)
            took = time.perf_counter() - began
            console.print(
                f"[{len(announced)}/{len(specs)}] {spec.env} {spec.memory}  "
                f"finished after {took:.0f} s",
                markup=False,
            )
