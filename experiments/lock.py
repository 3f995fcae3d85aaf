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


@contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Yields whether the lock is ours; another process that holds it keeps it.

    Its time is renewed while it is held. A lock whose process is gone, or whose time is more than
    a minute old, is taken over.
    """
    if not _take(path):
        yield False
        return
    stop = threading.Event()

    def beat():
        while not stop.wait(HEARTBEAT_SECONDS):
            with suppress(OSError):
                os.utime(path)

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield True
    finally:
        stop.set()
        heart.join()
        path.unlink(missing_ok=True)


def _take(path: Path) -> bool:
    me = json.dumps({"host": socket.gethostname(), "pid": os.getpid()})
    for _ in range(2):
        try:
            with open(path, "x") as file:
                file.write(me)
            return True
        except FileExistsError:
            if not _abandoned(path):
                return False
            # Only one process can move the old lock aside, so only one goes on to take it.
            aside = path.with_name(f".lock.{os.getpid()}.{time.time_ns()}")
            with suppress(FileNotFoundError):
                os.rename(path, aside)
                aside.unlink()
    return False


def _abandoned(path: Path) -> bool:
    try:
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            return True
        owner = json.loads(path.read_text() or "{}")
    except (FileNotFoundError, json.JSONDecodeError):
        return False
    if owner.get("host") != socket.gethostname() or "pid" not in owner:
        return False
    try:
        os.kill(owner["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return owner["pid"] == os.getpid()
