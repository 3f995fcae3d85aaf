"""Compiled programs kept whole, so that a later process begins without tracing them again.

JAX's persistent cache is asked with the lowered program, and tracing and lowering are half of what
a second start takes. Here a program is found by what it is made from: the cell, the sources, the
versions, JAX's configuration and the machine. A cell whose environment or memory is not from these
packages is not kept: changes of their sources cannot be detected.

A program that JAX read from its own cache cannot be written again on a CPU (a function of it is
missing when it runs), so only those that were compiled here are kept.

A file of it is code that this process will run, so it is read only if no other user can have
written it: the folder is for its owner alone, and file and folder are ours.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import platform
import stat
import zlib
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
from jax.experimental.serialize_executable import deserialize_and_load, serialize

import agents
import experiments
import popjax
from agents.own_memory import memory_class
from experiments.results.spec import CellSpec
from experiments.results.store import machine, write_atomically
from popjax.registry import SHIPPED

MOST = 100  # programs in a folder, of about 1 MB each; those not used for longest go
SOURCES = (
    (popjax, "**/*.py"),
    (agents, "**/*.py"),
    (experiments, "train/*.py"),
    (experiments, "results/spec.py"),
)
HIT = "/jax/compilation_cache/cache_hits"
_folder: Path | None = None
_sources = ""  # a hash of those that this process runs
_hits = 0


def _count(event: str, **_: Any) -> None:
    global _hits
    _hits += event == HIT


jax.monitoring.register_event_listener(_count)


def hits() -> int:
    """How many programs JAX has read from its own cache in this process."""
    return _hits


def keep_in(folder: Path | None) -> None:
    """Keeps what this process compiles in a folder, and looks there first; None: neither.

    The sources are read here, when the process begins: they may be edited while it runs, and what
    it compiles then is still made from those that it has imported.
    """
    global _folder, _sources
    _folder, made_from = folder, hashlib.sha256()
    for package, pattern in SOURCES if folder else ():
        for path in sorted(Path(package.__file__).parent.glob(pattern)):
            made_from.update(path.read_bytes())
    _sources = made_from.hexdigest()


def code_of(spec: CellSpec, program: str) -> str | None:
    """The name of the file of a program; None if it is not kept.

    program: all that tells it from other programs of the same sources.
    """
    ours = spec.env in SHIPPED and memory_class(spec.memory).__module__.startswith("agents.")
    if _folder is None or not ours or jax.process_count() > 1:
        return None
    devices = [(device.platform, device.device_kind) for device in jax.local_devices()]
    flags = {k: v for k, v in os.environ.items() if k.startswith(("XLA_", "JAX_", "LIBTPU_"))}
    versions = machine()["versions"] | {"numpy": version("numpy")}
    config = sorted(map(repr, jax.config.values.items()))
    made_from = program, _sources, versions, devices, sorted(flags.items()), config, _processor()
    return hashlib.sha256(repr(made_from).encode()).hexdigest()[:32]


def _processor() -> str:
    """What machine code may use here."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    known = {line for line in lines if line.startswith(("model name", "flags", "Features"))}
    return repr(sorted(known)) if known else platform.processor()


def read(code: str | None, devices: Sequence[Sequence[Any]]) -> tuple[list[Any], Any] | None:
    """The programs and the shapes of a file, each program on the devices it was made for; None if
    there is none that can be read."""
    if code is None:
        return None
    path = _folder / code
    try:
        data = _trusted(path)
        if data is None:
            return None
        programs, shapes = pickle.loads(zlib.decompress(data))
        loaded = [
            deserialize_and_load(*program, execution_devices=own)
            for program, own in zip(programs, devices, strict=True)
        ]
    except FileNotFoundError:
        return None
    except Exception:  # whatever is wrong with it, it can be made again
        with suppress(OSError):
            path.unlink()
        return None
    with suppress(OSError):  # read-only
        path.touch()
    return loaded, shapes


def _trusted(path: Path) -> bytes | None:
    """The bytes of a file that only this user can have written; None of any other.

    The open file is checked: it cannot be replaced in between.
    """
    if not is_ours(os.stat(path.parent)):
        return None
    with open(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        return file.read() if is_ours(os.fstat(file.fileno())) else None


def is_ours(found: os.stat_result) -> bool:
    """Whether a file or folder belongs to this user and no other may write to it."""
    if not hasattr(os, "getuid"):  # Windows, where a home folder is its owner's
        return True
    others = stat.S_IWGRP | stat.S_IWOTH
    return found.st_uid == os.getuid() and not found.st_mode & others


def write(code: str | None, programs: Sequence[Any], shapes: Any) -> None:
    """Keeps programs and shapes; does nothing where the device or the disk cannot."""
    if code is None:
        return
    plain = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), shapes)
    try:
        data = pickle.dumps(([serialize(one) for one in programs], plain))
        _folder.mkdir(parents=True, exist_ok=True)
        _folder.chmod(0o700)
        write_atomically(_folder / code, zlib.compress(data, 1))
        (_folder / code).chmod(0o600)
        oldest = sorted(_folder.iterdir(), key=lambda path: -path.stat().st_mtime)
        for path in oldest[MOST:]:
            path.unlink(missing_ok=True)
    except (jax.errors.JaxRuntimeError, NotImplementedError, ValueError, TypeError, OSError):
        return
