"""Where the cells of a sweep run, and the resources of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from agents.ranges import Within
from experiments.results.errors import UserError
from experiments.results.ranges import check
from popjax.words import nearest

LAUNCHERS = ("inline", "slurm", "ray")


@dataclass(frozen=True)
class Launch:
    """Where to run, and the resources of each cell."""

    launcher: str = "inline"
    """inline (this process, all its devices), slurm or ray (one cell per job)."""
    gpus: Annotated[float, Within(0, 1024)] = 0.0
    """GPUs per cell; with ray also a fraction of one."""
    cpus: Annotated[int, Within(1, 4096)] = 1
    """CPU cores per cell."""
    partition: str = ""
    """SLURM: the partition."""
    hours: Annotated[float, Within(0, 8760, above=True)] = 24.0
    """SLURM: time limit of a job; a cell that reaches it continues in the next."""
    max_jobs: Annotated[int, Within(1, 100_000)] = 256
    """SLURM: number of cells that run at the same time."""
    ray_address: str = ""
    """Ray: the cluster, such as auto or ray://head:10001; by default one on this machine."""

    def __post_init__(self):
        if self.launcher not in LAUNCHERS:
            raise UserError(nearest(self.launcher, LAUNCHERS, "launcher"))
        check(self)
        if self.gpus > 1 and self.gpus != int(self.gpus):
            raise UserError(f"a cell gets a part of one GPU or whole ones, not {self.gpus}")
        if self.launcher == "slurm" and self.gpus != int(self.gpus):
            raise UserError(f"SLURM gives whole GPUs only, not {self.gpus}")
