"""Where the time of training goes: a trace of one segment, for Perfetto or XProf."""

from __future__ import annotations

from pathlib import Path

import jax

from experiments.results.errors import UserError
from experiments.results.spec import CellSpec
from experiments.results.store import Cell


class Profile:
    """A sink that writes no numbers: it traces the second segment it sees, when nothing is compiled
    any more, with what the host does after it. The trace lies in the folder `profile` of the cell.
    """

    def __init__(self, cell: Cell):
        self._folder = cell.folder / "profile"
        self._segment = cell.spec.updates_per_segment * cell.spec.steps_per_update
        self._tracing = self._traced = False

    def write(self, step: int, values: dict[str, float]) -> None:
        """step: at the end of a segment the trace begins or ends."""
        if step % self._segment or self._traced:
            return
        if self._tracing:
            self._stop()
            self._traced = True
        else:
            jax.profiler.start_trace(self._folder, create_perfetto_trace=True)
            self._tracing = True

    def close(self) -> None:
        if self._tracing:
            self._stop()
        print(how_to_open(self._folder) if self._traced else "nothing traced: too few segments")

    def _stop(self) -> None:
        jax.profiler.stop_trace()
        self._tracing = False


def can_trace(cell: Cell) -> None:
    """A UserError unless two segments of the cell are still to come."""
    if cell.finished:
        raise UserError(
            f"{cell.folder} is finished, nothing is left to trace: name another --study"
        )
    if segments(cell.spec) < 2:
        raise UserError(
            "a trace is of the second segment: give more --total-steps, or --num-segments above 1"
        )


def segments(spec: CellSpec) -> int:
    """How many there are."""
    return spec.num_updates // spec.updates_per_segment


def newest_trace(folder: Path) -> Path:
    """The last trace that was written there, as Perfetto reads it."""
    found = folder.glob("plugins/profile/*/perfetto_trace.json.gz")
    return max(found, key=lambda path: path.stat().st_mtime_ns)


def how_to_open(folder: Path) -> str:
    """What to do with the trace in a folder."""
    return (
        f"trace of one segment: {newest_trace(folder)}\n"
        "  open it at https://ui.perfetto.dev (it stays in the browser), or with XProf: "
        f"pip install xprof && xprof {folder}"
    )
