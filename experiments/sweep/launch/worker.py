"""One cell in a process of its own, wherever a launcher starts it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from experiments.results.errors import UserError
from experiments.results.spec import CellSpec
from experiments.results.store import Cell
from experiments.sweep.faults import ATTEMPTS
from experiments.train.compile import keep_compiled_programs
from experiments.train.process import keep_pages
from experiments.train.run import run_cell

POLL_SECONDS = 1.0


def work(study: str, spec: CellSpec, log: Sequence[str] = ()) -> str:
    """Runs a cell to its end; returns "finished" or "failed".

    Idempotent: it resumes where another process was cut off, after waiting until the lock of one
    that died elsewhere is stale (a minute). A cell that fails is tried once more; why it failed
    stands in its folder.
    """
    keep_pages()
    keep_compiled_programs(whole=True)
    cell = Cell(Path(study), spec)
    for attempt in range(ATTEMPTS):
        try:
            while run_cell(Path(study), spec, log=log) == "busy":
                time.sleep(POLL_SECONDS)
        except Exception as error:
            if not cell.folder.exists():
                raise
            cell.fail(error)
            if isinstance(error, UserError) or attempt == ATTEMPTS - 1:
                return "failed"
        else:
            break
    return "finished"
