"""Where results live: one folder a study, one folder a cell in it.

<out>/<study>/study.json                     the request
<out>/<study>/<cell id>/spec.json            the resolved spec, commit, versions, machine, lanes
                       /progress.jsonl       one line an update and seed, while it runs
                       /checkpoint/          the whole state after the last finished segment
                       /checkpoint.json      the sums of its files
                       /lock                 who is at work on it
                       /summary.json         times, steps, what diverged
                       /evaluation.parquet   the final policy's returns
                       /policy.npz           the last policy, for agents.load (PPO)
                       /metrics.parquet      written last, once, atomically: the cell is over
                       /failure.txt          why the last attempt failed, until one does not
"""

from __future__ import annotations

import json
import os
import platform
import traceback
from collections import Counter
from contextlib import AbstractContextManager
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any

import jax

from experiments.results.errors import UserError
from experiments.results.files import (
    AGAIN,
    CHECKSUM,
    DamagedError,
    Table,
    checksum,
    read_json,
    read_parquet,
    write_atomically,
    write_json,
    write_parquet,
)
from experiments.results.lock import Hold, lock
from experiments.results.provenance import commit, cpu_model
from experiments.results.spec import CellSpec


def open_study(out: Path, study: str, asked: dict[str, Any]) -> Path:
    """The folder of a study, made if need be.

    Raises UserError if it cannot be written, is no study, or is a study of other settings.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     folder = open_study(Path(out), "mine", {"kind": "train"})
    ...     sorted(path.name for path in folder.iterdir())
    ['study.json']
    """
    plain = study == Path(study).name and study.isprintable()
    if not study or not plain or study.startswith("."):
        raise UserError(f"a study needs a plain folder name, not {study!r}")
    folder = Path(out) / study
    record = folder / "study.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not record.exists():
            if any(folder.iterdir()) and not _holds_cells(folder):
                raise UserError(
                    f"{folder} is not empty and holds no study: choose another --study or --out"
                )
            write_json(record, asked)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None
    _same(folder, read_study_json(folder), asked)
    return folder


def read_study_json(folder: Path) -> dict[str, Any]:
    """The request; a UserError if its file is damaged.

    >>> read_study_json(Path("nowhere"))
    Traceback (most recent call last):
        ...
    experiments.results.files.DamagedError: nowhere/study.json is missing: choose another --study
    """
    cure = f"remove this file {AGAIN}" if _holds_cells(folder) else "choose another --study"
    return read_json(folder / "study.json", cure=cure)


def _holds_cells(folder: Path) -> bool:
    """Whether there are cells, whose names contain all their settings: the request can be rewritten
    beside them."""
    return any(folder.glob("*/spec.json"))


def check_study(out: Path, study: str, asked: dict[str, Any]) -> Path:
    """Where a study is or would be, without making it; a UserError if it is one of other
    settings.

    >>> check_study(Path("nowhere"), "mine", {"kind": "train"}).as_posix()
    'nowhere/mine'
    """
    folder = Path(out) / study
    if (folder / "study.json").exists():
        _same(folder, read_study_json(folder), asked)
    return folder


def _same(folder: Path, there: dict[str, Any], asked: dict[str, Any]) -> None:
    for key in sorted(there.keys() | asked.keys()):
        if there.get(key) != asked.get(key):
            raise UserError(
                f"{folder} holds a study with other settings ({key}: {there.get(key)} there, "
                f"{asked.get(key)} asked): choose another --study"
            )


class Cell:
    """The folder of one cell of a study.

    >>> from experiments.results.spec import Settings

    >>> from experiments.train.cell import cell
    >>> one = Cell(Path("nowhere"), cell("RepeatFirstEasy", "gru", Settings()))
    >>> one.folder.name.startswith("RepeatFirstEasy-gru-"), one.finished
    (True, False)
    """

    def __init__(self, study: Path, spec: CellSpec):
        self.spec = spec
        self.folder = Path(study) / spec.id
        self.checkpoints = self.folder / "checkpoint"
        self._progress = self.folder / "progress.jsonl"

    @property
    def finished(self) -> bool:
        return (self.folder / "metrics.parquet").exists()

    def open(self) -> None:
        """Makes the folder and writes `spec.json`, or checks that it is this cell's.

        Where the results are older than the file, the machine they were made on is unknown.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "spec.json"
        if path.exists():
            there = read_record(self.folder)["spec"]
            if not isinstance(there, dict) or "settings" not in there:
                raise DamagedError(path, "no spec", RESTORED)
            if there != json.loads(json.dumps(self.spec.resolved())):
                raise UserError(
                    f"{self.folder} holds another spec: choose another --study or --out"
                )
            return
        where = unknown_machine() if self.finished else machine()
        record = {"spec": self.spec.resolved(), **where, "lanes": len(self.spec.seeds)}
        record["commit"] = None if self.finished else commit()
        record["settings_from"] = self.spec.source or None
        write_json(path, record)

    def lock(self) -> AbstractContextManager[Hold]:
        """Whether the cell is ours while the context lasts; see `experiments.results.lock`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return lock(self.folder / "lock")

    def fail(self, error: BaseException) -> None:
        """Writes why an attempt failed, beside what it had reached."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = "".join(traceback.format_exception(error))
        write_atomically(self.folder / "failure.txt", f"{reason(error)}\n\n{text}".encode())

    def failure(self) -> str | None:
        """Why the last attempt failed, in one line; None if none did."""
        return failure_in(self.folder)

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Adds lines to `progress.jsonl`, each with its checksum, and waits until they are on the
        disk."""
        with open(self._progress, "a", encoding="utf-8") as file:
            file.writelines(_line(row) for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def progress(self) -> list[dict[str, Any]]:
        """The lines of `progress.jsonl` that are whole, in their order."""
        try:
            text = self._progress.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise DamagedError(self._progress, error.strerror or str(error)) from None
        return [row for line in text.splitlines() if (row := _row(line))]

    def rows_before(self, update: int) -> list[dict[str, Any]]:
        """The lines of the updates before `update`; later and torn ones are dropped for good.

        Raises UserError unless there is exactly one of every such update and seed: what follows
        them would not be the curves of a run.
        """
        rows = [row for row in self.progress() if row["update"] < update]
        wanted = Counter(product(range(update), self.spec.seeds))
        found = Counter((row["update"], row["seed"]) for row in rows)
        fault = ""
        if lacking := (wanted - found).total():
            fault = f"it lacks {lacking} of the {wanted.total()} lines before update {update}"
        elif found != wanted:
            fault = f"it has {len(rows)} lines before update {update}, not {wanted.total()}"
        elif not all(rows[0].keys() <= row.keys() for row in rows):
            fault = "its lines differ in their names"
        if fault:
            cure = f"remove {self.checkpoints} to restart this cell"
            raise DamagedError(self._progress, fault, cure)
        write_atomically(self._progress, "".join(map(_line, rows)).encode())
        return rows

    def finish(self, metrics: Table, evaluation: Table, summary: dict[str, Any]) -> None:
        """Writes the results; after the last write the cell is finished."""
        write_json(self.folder / "summary.json", summary)
        write_parquet(self.folder / "evaluation.parquet", evaluation)
        write_parquet(self.folder / "metrics.parquet", metrics)
        (self.folder / "failure.txt").unlink(missing_ok=True)

    def read(self) -> tuple[Table, Table, dict[str, Any]]:
        """The metrics, evaluation and summary of a finished cell."""
        return read_results(self.folder)


def read_results(folder: Path) -> tuple[Table, Table, dict[str, Any]]:
    """The metrics, evaluation and summary in the folder of a finished cell.

    >>> import tempfile
    >>> import numpy as np
    >>> from experiments.results.spec import Settings
    >>> from experiments.train.cell import cell
    >>> table = {"seed": np.array([0, 1]), "return": np.array([0.5, 1.0])}
    >>> with tempfile.TemporaryDirectory() as study:
    ...     one = Cell(Path(study), cell("RepeatFirstEasy", "gru", Settings()))
    ...     one.open()
    ...     one.finish(table, table, {"parameters": 100})
    ...     metrics, evaluation, summary = read_results(one.folder)
    >>> metrics["return"].tolist(), summary
    ([0.5, 1.0], {'parameters': 100})
    """
    cure = again(folder)
    summary = read_json(folder / "summary.json", cure=cure)
    metrics, evaluation = (
        read_parquet(folder / f"{name}.parquet", cure) for name in ("metrics", "evaluation")
    )
    return metrics, evaluation, summary


def again(folder: Path) -> str:
    """How to have the results of a cell written again, from its checkpoint.

    >>> again(Path("results/quick/a"))
    'remove results/quick/a/metrics.parquet and run the same command again'
    """
    return f"remove {folder / 'metrics.parquet'} {AGAIN}"


RESTORED = f"remove this file {AGAIN}"


def read_record(folder: Path) -> dict[str, Any]:
    """`spec.json` of a cell: the resolved spec, versions, device, cores.

    >>> read_record(Path("nowhere"))
    Traceback (most recent call last):
        ...
    experiments.results.files.DamagedError: nowhere/spec.json is missing: run the same command again
    """
    return read_json(folder / "spec.json", keys=("spec",), cure=RESTORED)


def failure_in(folder: Path) -> str | None:
    """Why the last attempt at the cell of a folder failed, in one line; None if none did.

    >>> failure_in(Path("nowhere")) is None
    True
    """
    try:
        text = (folder / "failure.txt").read_text("utf-8", errors="replace")
        return text.splitlines()[0]
    except (OSError, IndexError):
        return None


def _line(row: dict[str, Any]) -> str:
    return json.dumps(row | {CHECKSUM: checksum(row)}) + "\n"


def _row(line: str) -> dict[str, Any] | None:
    """A line again; None if it is torn."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(row, dict) or (CHECKSUM in row and row.pop(CHECKSUM) != checksum(row)):
        return None
    whole = isinstance(row.get("update"), int) and isinstance(row.get("seed"), int)
    return row if whole else None


def reason(error: BaseException) -> str:
    """What went wrong, in one line.

    >>> reason(ValueError("no such level")), reason(UserError("give a name"))
    ('ValueError: no such level', 'give a name')
    """
    words = (str(error).strip().splitlines() or [""])[0]
    if isinstance(error, UserError):  # which says last what to do about it
        return words
    return f"{type(error).__name__}: {words[:200]}"


def machine() -> dict[str, Any]:
    """What a result depends on beside its spec.

    >>> sorted(machine()), "jax" in machine()["versions"]
    (['cores', 'cpu', 'device', 'versions'], True)
    """
    devices = jax.devices()
    packages = ("popjax", "jax", "jaxlib", "flax", "optax", "distrax")
    return {
        "versions": {name: version(name) for name in packages}
        | {"python": platform.python_version()},
        "device": f"{len(devices)} x {devices[0].device_kind}",
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
    }


def unknown_machine() -> dict[str, Any]:
    """In the place of `machine`, where results are older than their record.

    >>> unknown_machine().keys() == machine().keys()
    True
    """
    versions = dict.fromkeys(machine()["versions"], "unknown")
    return dict.fromkeys(machine()) | {"versions": versions, "device": "unknown"}
