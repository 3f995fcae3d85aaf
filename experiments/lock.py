"""A file that says who is at work, so that no two processes do the same."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

HEARTBEAT_SECONDS = 10.0
STALE_SECONDS = 60.0
_HELD: set[Path] = set()  # the locks of this process


class Hold:
    """True while the lock is ours: what another has taken over is lost for good.

    A process that slept through its heartbeats must ask before it writes.
    """

    def __init__(self, path: Path, token: str | None):
        self._path, self._token = path, token

    def __bool__(self) -> bool:
        return self._token is not None and _read(self._path) == self._token


@contextmanager
def lock(path: Path) -> Iterator[Hold]:
    """Yields a `Hold`, true if the lock is ours; another process that holds it keeps it.

    Its time is renewed while it is held. A lock whose process is gone, or whose time is more than
    a minute old, is taken over.
    """
    token = _take(path)
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
    _HELD.add(path)
    try:
        yield hold
    finally:
        stop.set()
        heart.join()
        _HELD.discard(path)
        if hold:
            path.unlink(missing_ok=True)


def _take(path: Path) -> str | None:
    """Writes the lock; returns its text, or None if another has it."""
    token = json.dumps({"host": _host(), "pid": os.getpid(), "time": time.time_ns()})
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
            there = _read(path)
            if there is not None and not _abandoned(path, there):
                return None
            if there is not None and not _remove(path, there):
                return None
    return None


def _remove(path: Path, text: str) -> bool:
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
    """This machine, or this container on it: where the numbers of processes mean the same."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return socket.gethostname() + space


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _abandoned(path: Path, text: str) -> bool:
    try:
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            return True
        owner = json.loads(text or "{}")
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    if owner.get("host") != _host() or "pid" not in owner:
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return owner["pid"] == os.getpid() and path not in _HELD
