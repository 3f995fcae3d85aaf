"""Cells as an array of SLURM jobs, through submitit.

A job that is preempted, or reaches its time limit, is requeued and resumes after
its last segment. Jobs outlive this process: the same command finds those still queued and waits.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from rich.console import Console

from experiments.results.errors import UserError
from experiments.results.files import read_json
from experiments.results.spec import CellSpec
from experiments.results.store import Cell, write_atomically
from experiments.sweep.launch.resources import Launch
from experiments.sweep.launch.worker import work
from experiments.train.executable_cache import is_ours

POLL_SECONDS = 2.0
TIMEOUTS = 1000  # how often a job that reached its time limit resumes
GRACE_SECONDS = 20.0  # from a job's end until its files are seen on a shared disk


class Job:
    """What a job does; pickled by submitit."""

    def __call__(self, study: str, spec: CellSpec, log: tuple[str, ...]) -> str:
        return work(study, spec, log)

    def checkpoint(self, *args: Any) -> Any:
        """Called on preemption and at the time limit: the same again, from its last segment."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, *args)


def launch(
    study: Path, specs: Sequence[CellSpec], how: Launch, log: tuple[str, ...], console: Console
) -> Iterator[None]:
    """Submits the cells that no queued job is for, and yields until no job of theirs is left."""
    try:
        import submitit
    except ImportError:
        raise UserError('SLURM needs submitit: pip install "popjax[slurm]"') from None
    if "%" in str(study):  # which SLURM reads as the number of a job
        raise UserError(f"SLURM cannot write to {study}: choose a folder without % in its name")
    queued = _queue()
    if queued is None:
        raise UserError("there is no SLURM here: squeue cannot be run")
    folder, record = study / "slurm", study / "slurm" / "jobs.json"
    folder.mkdir(mode=0o700, exist_ok=True)  # submitit unpickles jobs and results from it
    if not is_ours(folder.stat()):
        raise UserError(f"{folder} can be written by others, who could put programs in it")
    jobs = {cell: job for cell, job in _read(record).items() if job in queued}
    fresh = [spec for spec in specs if spec.id not in jobs]
    if fresh:
        executor = submitit.AutoExecutor(
            folder=str(folder), cluster="slurm", slurm_max_num_timeout=TIMEOUTS
        )
        executor.update_parameters(**_parameters(how))
        with executor.batch():
            submitted = [executor.submit(Job(), str(study), spec, log) for spec in fresh]
        jobs |= {spec.id: job.job_id for spec, job in zip(fresh, submitted, strict=True)}
        write_atomically(record, json.dumps(jobs, indent=1).encode())
    ours = sorted({jobs[spec.id].split("_")[0] for spec in specs})
    console.print(
        f"{len(fresh)} jobs submitted, {len(specs) - len(fresh)} were queued before; they go on if "
        f"this command is stopped, and scancel {' '.join(ours)} stops them; logs in {folder}",
        markup=False,
    )
    left, gone = {spec.id: jobs[spec.id] for spec in specs}, {}
    by_id = {spec.id: spec for spec in specs}
    while left:
        yield
        queued = _queue()
        for name, job in list(left.items()):
            cell = Cell(study, by_id[name])
            if queued is None or job in queued:
                gone.pop(name, None)
            elif cell.finished or cell.failure():
                del left[name]
            elif time.monotonic() - gone.setdefault(name, time.monotonic()) > GRACE_SECONDS:
                _lost(cell, folder, job)
                del left[name]
        time.sleep(POLL_SECONDS)


def _parameters(how: Launch) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "name": "popjax",
        "timeout_min": max(1, round(60 * how.hours)),
        "cpus_per_task": how.cpus,
        "slurm_array_parallelism": how.max_jobs,
        "slurm_additional_parameters": {"requeue": True},
    }
    if how.gpus:
        wanted["gpus_per_node"] = int(how.gpus)
    if how.partition:
        wanted["slurm_partition"] = how.partition
    return wanted


def _queue() -> set[str] | None:
    """The ids of all jobs that wait or run; None if SLURM does not answer."""
    command = ["squeue", "--noheader", "--array", "--format", "%i", "--states"]
    states = "PENDING,RUNNING,SUSPENDED,COMPLETING,CONFIGURING,REQUEUED,PREEMPTED,RESIZING"
    try:
        done = subprocess.run([*command, states], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return set(done.stdout.split()) if done.returncode == 0 else None


def _read(record: Path) -> dict[str, str]:
    """Of which jobs are still queued; nothing if that is not known: a cell has one owner anyway."""
    with suppress(UserError):
        return {k: v for k, v in read_json(record).items() if isinstance(v, str)}
    return {}


def _lost(cell: Cell, folder: Path, job: str) -> None:
    """Writes of a job that ended without a word where its log is."""
    cell.fail(UserError(f"SLURM job {job} was cancelled or killed: see {folder}/{job}_0_log.err"))
