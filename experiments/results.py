"""Where results live: one folder a study, one folder a cell in it.

<out>/<study>/study.json                     what was asked for
<out>/<study>/<cell id>/spec.json            the resolved spec, commit, versions, machine, lanes
                       /progress.jsonl       one line an update and seed, while it runs
                       /checkpoint/          the whole state after the last finished segment
                       /lock                 who is at work on it
                       /summary.json         times, steps, what diverged
                       /evaluation.parquet   the final policy's returns
                       /policy.npz           the last policy, for agents.load (PPO)
                       /metrics.parquet      written last, once, atomically: the cell is over
                       /failure.txt          why the last attempt failed, until one does not
"""

from __future__ import annotations

import functools
import json
import os
import platform
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import jax
import numpy as np

from experiments.errors import UserError
from experiments.lock import Hold, lock
from experiments.provenance import commit, cpu_model
from experiments.specs import CellSpec, as_before

Table = dict[str, np.ndarray]


def open_study(out: Path, study: str, asked: dict[str, Any]) -> Path:
    """The folder of a study, made if need be.

    Raises UserError if it cannot be written, is no study, or is a study of other settings.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as out:
    ...     folder = open_study(Path(out), "mine", {"kind": "train"})
    ...     sorted(path.name for path in folder.iterdir())
    ['study.json']
    """
    if not study or study != Path(study).name or study.startswith("."):
        raise UserError(f"a study needs a plain folder name, not {study!r}")
    folder = Path(out) / study
    record = folder / "study.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not record.exists():
            if any(folder.iterdir()):
                raise UserError(
                    f"{folder} is not empty and holds no study: choose another --study or --out"
                )
            write_atomically(record, json.dumps(asked, indent=1).encode())
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "Permission denied")
        there = json.loads(record.read_text())
    except OSError as error:
        raise UserError(f"cannot write to {folder}: {error.strerror or error}") from None
    except json.JSONDecodeError:
        raise UserError(f"{record} is damaged: choose another --study, or remove it") from None
    _same(folder, there, asked)
    return folder


def check_study(out: Path, study: str, asked: dict[str, Any]) -> Path:
    """Where a study is or would be, without making it; a UserError if it is one of other
    settings.

    >>> check_study(Path("nowhere"), "mine", {"kind": "train"}).as_posix()
    'nowhere/mine'
    """
    folder = Path(out) / study
    with suppress(OSError, json.JSONDecodeError):
        _same(folder, json.loads((folder / "study.json").read_text()), asked)
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

    >>> from experiments.specs import Settings, cell
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
        """Makes the folder and writes `spec.json`, or checks that it is this cell's."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "spec.json"
        if path.exists():
            try:
                there = json.loads(path.read_text())["spec"]
            except (json.JSONDecodeError, KeyError):
                raise UserError(f"{path} is damaged: remove {self.folder} to run it anew") from None
            if as_before(there) != as_before(json.loads(json.dumps(self.spec.resolved()))):
                raise UserError(
                    f"{self.folder} holds another spec: choose another --study or --out"
                )
            return
        record = {"spec": self.spec.resolved(), "commit": commit(), **machine()}
        record |= {"lanes": len(self.spec.seeds), "settings_from": self.spec.source or None}
        write_atomically(path, json.dumps(record, indent=1).encode())

    def lock(self) -> AbstractContextManager[Hold]:
        """Whether the cell is ours while the context lasts; see `experiments.lock`."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return lock(self.folder / "lock")

    def fail(self, error: BaseException) -> None:
        """Writes why an attempt failed, beside what it had reached."""
        self.folder.mkdir(parents=True, exist_ok=True)
        text = "".join(traceback.format_exception(error))
        write_atomically(self.folder / "failure.txt", f"{reason(error)}\n\n{text}".encode())

    def failure(self) -> str | None:
        """Why the last attempt failed, in one line; None if none did."""
        try:
            return (self.folder / "failure.txt").read_text().splitlines()[0]
        except (OSError, IndexError):
            return None

    def append(self, rows: list[dict[str, Any]]) -> None:
        """Adds lines to `progress.jsonl` and waits until they are on the disk."""
        with open(self._progress, "a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            os.fsync(file.fileno())

    def rows_before(self, update: int) -> list[dict[str, Any]]:
        """The lines of the updates before `update`; later and torn ones are dropped for good."""
        rows = []
        if self._progress.exists():
            for line in self._progress.read_text().splitlines():
                with suppress(json.JSONDecodeError):
                    row = json.loads(line)
                    if row["update"] < update:
                        rows.append(row)
        text = "".join(json.dumps(row) + "\n" for row in rows)
        write_atomically(self._progress, text.encode())
        return rows

    def finish(self, metrics: Table, evaluation: Table, summary: dict[str, Any]) -> None:
        """Writes the results; after the last write the cell is finished."""
        write_atomically(self.folder / "summary.json", json.dumps(summary, indent=1).encode())
        write_parquet(self.folder / "evaluation.parquet", evaluation)
        write_parquet(self.folder / "metrics.parquet", metrics)
        (self.folder / "failure.txt").unlink(missing_ok=True)

    def read(self) -> tuple[Table, Table, dict[str, Any]]:
        """The metrics, evaluation and summary of a finished cell."""
        return read_results(self.folder)


def read_results(folder: Path) -> tuple[Table, Table, dict[str, Any]]:
    """The metrics, evaluation and summary in the folder of a finished cell.

    >>> import tempfile
    >>> from experiments.specs import Settings, cell
    >>> table = {"seed": np.array([0, 1]), "return": np.array([0.5, 1.0])}
    >>> with tempfile.TemporaryDirectory() as study:
    ...     one = Cell(Path(study), cell("RepeatFirstEasy", "gru", Settings()))
    ...     one.open()
    ...     one.finish(table, table, {"parameters": 100})
    ...     metrics, evaluation, summary = read_results(one.folder)
    >>> metrics["return"].tolist(), summary
    ([0.5, 1.0], {'parameters': 100})
    """
    path = folder / "summary.json"
    try:
        summary = json.loads(path.read_text())
    except (OSError, json.JSONDecodeError):
        raise UserError(f"{path} is damaged: remove {folder} to run it anew") from None
    metrics, evaluation = (
        read_parquet(folder / f"{name}.parquet") for name in ("metrics", "evaluation")
    )
    return metrics, evaluation, summary


def reason(error: BaseException) -> str:
    """What went wrong, in one line.

    >>> reason(ValueError("no such level")), reason(UserError("give a name"))
    ('ValueError: no such level', 'give a name')
    """
    words = (str(error).strip().splitlines() or [""])[0][:200]
    return words if isinstance(error, UserError) else f"{type(error).__name__}: {words}"


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


def write_parquet(path: Path, table: Table) -> None:
    """Writes equally long columns as one Parquet file, whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_parquet(Path(folder) / "t.parquet", {"seed": np.array([0, 1])})
    ...     read_parquet(Path(folder) / "t.parquet")["seed"].tolist()
    [0, 1]
    """
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    with _whole_or_gone(temporary), duckdb.connect() as connection:
        names = ", ".join(f'unnest($c{i}) AS "{name}"' for i, name in enumerate(table))
        values = {f"c{i}": column.tolist() for i, column in enumerate(table.values())}
        connection.execute(f"CREATE TABLE t AS SELECT {names}", values)
        connection.execute(f"COPY t TO '{_quoted(temporary)}' (FORMAT parquet)")
        os.replace(temporary, path)


def read_parquet(path: Path) -> Table:
    """The columns of a Parquet file; a UserError if it is damaged.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     try:
    ...         read_parquet(Path(file.name))
    ...     except UserError as error:
    ...         print("is damaged" in str(error))
    True
    """
    try:
        with _reader(os.getpid()).cursor() as connection:
            query = connection.execute(f"SELECT * FROM read_parquet('{_quoted(path)}')")
            return {name: np.asarray(column) for name, column in query.fetchnumpy().items()}
    except duckdb.Error as error:
        reason = str(error).splitlines()[0][:120]
        raise UserError(
            f"{path} is damaged ({reason}): remove {path.parent} and run the sweep again"
        ) from None


@functools.cache
def _reader(process: int) -> duckdb.DuckDBPyConnection:
    """To connect takes longer than to read a file, so a process does it once."""
    return duckdb.connect()


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"whole")
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a.txt', 'whole')]
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with _whole_or_gone(temporary):
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)


@contextmanager
def _whole_or_gone(temporary: Path) -> Iterator[None]:
    """Removes a temporary file that could not be finished: a full disk has no room for it."""
    try:
        yield
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
