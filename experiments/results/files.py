"""Files of ours: written whole or not at all, and read whole or named.

Every reader raises a UserError of one line that names the file, what is wrong with it, and what to
do. What is written carries a checksum of its content, so that a changed bit is damage and not
another result; files without one, written by older versions or by hand, are read as they are.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from experiments.results.errors import UserError

Table = dict[str, np.ndarray]
CHECKSUM = "checksum"
AGAIN = "and run the same command again"


class DamagedError(UserError):
    """A file of ours is missing or damaged."""

    def __init__(self, path: Path, fault: str, cure: str = "remove this file"):
        words = f"is damaged ({fault})"
        if fault == MISSING:
            words, cure = "is missing", cure.removeprefix("remove this file").removeprefix(" and ")
        super().__init__(f"{path} {words}: {cure}" if cure else f"{path} {words}")


MISSING = "missing"


def checksum(record: dict[str, Any]) -> str:
    """A short hash of JSON data, whatever the order of its keys.

    >>> checksum({"a": 1, "b": (0.5,)}) == checksum({"b": [0.5], "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Writes a record, with its checksum, whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_json(Path(folder) / "a.json", {"seeds": 3})
    ...     read_json(Path(folder) / "a.json")
    {'seeds': 3}
    """
    plain = json.loads(json.dumps(record))
    text = json.dumps(plain | {CHECKSUM: checksum(plain)}, indent=1)
    write_atomically(path, text.encode())


def read_json(
    path: Path, kind: type = dict, keys: Collection[str] = (), cure: str = "remove this file"
) -> Any:
    """The JSON data in a file. kind: dict or list. keys: what a dict must have. cure: what to do
    about a damaged file, as its error says.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "a.json"
    ...     for text in ("[]", "{", '{"seeds": 3}'):
    ...         _ = path.write_text(text)
    ...         try:
    ...             read_json(path, keys=["steps"])
    ...         except DamagedError as error:
    ...             print(str(error).split("a.json ")[1])
    is damaged (a list, not a dict): remove this file
    is damaged (no JSON): remove this file
    is damaged (it lacks steps): remove this file
    """
    content = _bytes(path, cure)  # whose errors are ValueErrors too
    try:
        record = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise DamagedError(path, "no UTF-8", cure) from None
    except (ValueError, RecursionError):
        raise DamagedError(path, "no JSON", cure) from None
    if not isinstance(record, kind):
        words = f"a {type(record).__name__}, not a {kind.__name__}"
        raise DamagedError(path, words, cure)
    if isinstance(record, dict):
        if record.pop(_checksum_key(record), None) not in (None, checksum(record)):
            raise DamagedError(path, "its checksum differs", cure)
        if lacking := sorted(set(keys) - record.keys()):
            raise DamagedError(path, f"it lacks {', '.join(lacking)}", cure)
    return record


def _checksum_key(record: dict[str, Any]) -> str:
    """The name of the checksum, which a changed bit may have changed too: it stands last."""
    last = next(reversed(record), CHECKSUM)
    others = {key: value for key, value in record.items() if key != last}
    return last if record.get(last) == checksum(others) else CHECKSUM


def _bytes(path: Path, cure: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise DamagedError(path, MISSING, cure) from None
    except OSError as error:
        raise DamagedError(path, error.strerror or str(error), cure) from None


def write_parquet(path: Path, table: Table) -> None:
    """Writes equally long columns as one Parquet file, whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_parquet(Path(folder) / "t.parquet", {"seed": np.array([0, 1])})
    ...     read_parquet(Path(folder) / "t.parquet")["seed"].tolist()
    [0, 1]
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with whole_or_gone(temporary), _connection() as connection:
        names = ", ".join(f'unnest($c{i}) AS "{name}"' for i, name in enumerate(table))
        values = {f"c{i}": column.tolist() for i, column in enumerate(table.values())}
        connection.execute(f"CREATE TABLE t AS SELECT {names}", values)
        options = f"FORMAT parquet, USE_TMP_FILE false, KV_METADATA {{popjax: '{_digest(table)}'}}"
        connection.execute(f"COPY t TO '{_quoted(temporary)}' ({options})")
        settle(temporary)
        os.replace(temporary, path)
    settle(path.parent)


def read_parquet(path: Path, cure: str = "remove this file " + AGAIN) -> Table:
    """The columns of a Parquet file; a UserError if it is damaged.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     try:
    ...         read_parquet(Path(file.name))
    ...     except UserError as error:
    ...         print("is damaged" in str(error))
    True
    """
    if not Path(path).exists():
        raise DamagedError(path, MISSING, cure)
    try:
        with _reader(os.getpid()).cursor() as connection:
            query = "SELECT * FROM read_parquet(?, hive_partitioning = false)"
            found = connection.execute(query, [_alone(path)]).fetchnumpy()
            query = "SELECT key, value FROM parquet_kv_metadata(?)"
            notes = dict(connection.execute(query, [_alone(path)]).fetchall())
            table = {name: np.asarray(column) for name, column in found.items()}
    except Exception as error:  # a torn file raises what its first wrong byte stands for
        _reader.cache_clear()  # which some errors leave unusable
        words = (str(error).splitlines() or [""])[0][:120]
        raise DamagedError(path, words, cure) from None
    if b"popjax" in notes and notes[b"popjax"] != _digest(table).encode():
        raise DamagedError(path, "its checksum differs", cure)
    return table


def _digest(table: Table) -> str:
    """A hash of names and values; what Parquet does not keep, such as widths, is left out."""
    code = hashlib.sha256()
    for name, column in table.items():
        code.update(name.encode())
        if column.dtype.kind in "biu":
            code.update(column.astype(np.int64).tobytes())
        elif column.dtype.kind == "f":
            numbers = column.astype(np.float64) + 0.0  # there is one zero
            code.update(np.where(np.isnan(numbers), np.nan, numbers).tobytes())
        else:
            code.update("\0".join(map(str, column)).encode())
    return code.hexdigest()[:32]


def _connection() -> duckdb.DuckDBPyConnection:
    config = {"temp_directory": "", "enable_external_file_cache": False}
    return duckdb.connect(config=config)


@functools.cache
def _reader(process: int) -> duckdb.DuckDBPyConnection:
    """To connect takes longer than to read a file, so a process does it once."""
    return _connection()


def _alone(path: Path) -> str:
    """The path as a pattern that stands for this file alone, and for no address.

    >>> _alone(Path("/a[1]/b*?"))
    '/a[[]1]/b[*][?]'
    """
    return re.sub(r"([*?[])", r"[\1]", str(Path(path).absolute()))


def _quoted(path: Path) -> str:
    return str(Path(path).absolute()).replace("'", "''")


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_atomically(Path(folder) / "a.txt", b"whole")
    ...     [(path.name, path.read_text()) for path in Path(folder).iterdir()]
    [('a.txt', 'whole')]
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with whole_or_gone(temporary):
        with open(temporary, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    settle(path.parent)


def settle(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


@contextmanager
def whole_or_gone(temporary: Path) -> Iterator[None]:
    """Removes a temporary file that could not be finished: a full disk has no room for it."""
    try:
        yield
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def stack_tables(tables: Sequence[Table]) -> Table:
    """The rows of all tables, which have the same columns.

    >>> stack_tables([{"seed": np.array([0])}, {"seed": np.array([1])}])["seed"].tolist()
    [0, 1]
    """
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
