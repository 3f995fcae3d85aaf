"""A file that says who is at work, so that no two processes do the same.

A lock is its owner's for as long as the owner renews it. Whether it does is judged by the clock of
the file system, which all machines that share it see alike. Nothing that stands in its place, be it
damaged, dated in the future or no file at all, keeps everyone out for longer than a minute.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from experiments.results.errors import UserError

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
POLL_SECONDS = 0.1
_HELD: set[Path] = set()  # the locks of this process
_ONE_THREAD = threading.Lock()  # between the file and what is known to be held


class Hold:
    """True while the lock is ours: what another has taken over is lost for good.

    A process that slept through its heartbeats must ask before it writes.
    """

    def __init__(self, path: Path, token: str | None):
        self._path, self._token = path, token

    def __bool__(self) -> bool:
        return self._token is not None and _read(self._path) == self._token


@contextmanager
def lock(path: Path, wait_seconds: float = 0.0) -> Iterator[Hold]:
    """Yields a `Hold`, true if the lock is ours; another process that holds it keeps it, unless it
    ends within so many seconds.

    Its time is renewed while it is held. A lock whose process is gone, or whose time is more than
    a minute old, is taken over. Raises UserError if a folder with something in it is in its place.
    """
    until = time.monotonic() + wait_seconds
    while (token := _take(path)) is None and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    hold = Hold(path, token)
    if token is None:
        yield hold
        return
    stop = threading.Event()

    def beat():
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):
                if hold:
                    os.utime(path)

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield hold
    finally:
        stop.set()
        heart.join()
        with _ONE_THREAD:
            if hold:
                path.unlink(missing_ok=True)
            _HELD.discard(_place(path))


def owner(path: Path) -> str:
    """Who holds a lock, and where it is, in words for those who wait.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, lock(Path(folder) / "lock") as ours:
    ...     owner(Path(folder) / "lock").startswith(f"process {os.getpid()} on ")
    True
    """
    said = _said(_read(path) or "")
    name = (str(said.get("host", "")).split() or ["an unknown machine"])[0]
    return f"process {said.get('pid', '?')} on {name} ({path})"


def _take(path: Path) -> str | None:
    """Takes the lock; returns its text, or None if another has it."""
    with _ONE_THREAD:
        token = _write(path)
        if token is not None:
            _HELD.add(_place(path))
    return token


def _write(path: Path) -> str | None:
    said = {"host": _host(), "pid": os.getpid(), "began": _began(os.getpid())}
    token = json.dumps(said | {"time": time.time_ns()})
    for _ in range(2):
        try:
            with open(path, "x") as file:
                try:
                    file.write(token)
                    file.flush()
                except OSError:  # the disk is full: an empty lock would keep everyone out
                    path.unlink(missing_ok=True)
                    raise
            return token
        except FileExistsError:
            if _is_file(path) is False:
                _clear(path)
                continue
            there = _read(path)
            if _abandoned(path, there) and not _remove(path, there):
                return None
    return None


def _is_file(path: Path) -> bool | None:
    """Whether it is a plain file, as every lock is; None if nothing is there."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return None


def _clear(path: Path) -> None:
    """Removes a link, an empty folder or whatever else is no lock and in its place."""
    try:
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{path} is in the place of a lock ({error.strerror}): remove it") from None


def _remove(path: Path, text: str | None) -> bool:
    """Removes an abandoned lock; False if meanwhile another has taken it over.

    Only one process can move a file aside; one that has moved the wrong one puts it back.
    """
    aside = path.with_name(f".lock.{os.getpid()}.{time.time_ns()}")
    try:
        os.rename(path, aside)
    except FileNotFoundError:
        return True
    right = _read(aside) == text
    if not right:
        with suppress(FileExistsError):
            os.link(aside, path)
    aside.unlink()
    return right


def _host() -> str:
    """This machine since it was started, or this container on it: where the numbers of processes
    mean the same. Other machines may have the same name."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return " ".join(parts)


def _began(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's ticks; None where it is not known. The
    number of a process that has ended is given to others."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return None


def _read(path: Path) -> str | None:
    """The text of a lock; None if there is none, or none that can be read."""
    try:
        return path.read_text(errors="replace") if _is_file(path) else None
    except OSError:
        return None


def _said(text: str) -> dict[str, Any]:
    """What a lock says of its owner; nothing if it is damaged."""
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _abandoned(path: Path, text: str | None) -> bool:
    """Whether a lock is no longer renewed."""
    try:
        age = _now(path.parent) - path.stat().st_mtime
        if age < -HEARTBEAT_SECONDS:  # dated in the future: set right, it grows old if it is dead
            os.utime(path)
    except FileNotFoundError:
        return False
    except PermissionError:  # not ours to set right, and its owner would have
        return True
    if age > STALE_SECONDS:
        return True
    said = _said(text or "")
    pid = said.get("pid")
    if said.get("host") != _host() or not isinstance(pid, int) or not 0 < pid < 2**31:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    if said.get("began") != _began(pid):
        return True
    return pid == os.getpid() and _place(path) not in _HELD


def _place(path: Path) -> Path:
    """The one name of a path that may be written in several ways."""
    return path.parent.resolve() / path.name


def _now(folder: Path) -> float:
    """The time by the clock that dates the files of a folder, which may be another machine's."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            return os.fstat(file.fileno()).st_mtime
    except OSError:  # read-only or full
        return time.time()
