"""What stops a whole sweep, in one line: a full disk, a study that is gone."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.results.errors import UserError

ATTEMPTS = 2  # at a cell that fails


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
