"""Saving and restoring whole training runs. All of orbax lives here.

    <folder>/<step>/       what orbax wrote
    <folder>.json          the SHA-256 of each of its files

A run that is cut off between the two leaves a whole checkpoint without sums, which is read as it
is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

logging.getLogger("absl").setLevel(logging.CRITICAL)  # what goes wrong is raised, too


class CheckpointError(ValueError):
    """A checkpoint cannot be read; the message is one line that says what to do."""


PATTERN = re.compile(r"[*?\[\]\\]")  # orbax looks its own files up with patterns of whole paths


@contextmanager
def _manager(folder: Path) -> Iterator[ocp.CheckpointManager]:
    options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
    with (
        _plain(Path(folder).resolve()) as path,
        ocp.CheckpointManager(path, options=options) as manager,
    ):
        yield manager


@contextmanager
def _plain(folder: Path) -> Iterator[Path]:
    """A path to the folder that is no pattern, whatever the folder's name is."""
    if not PATTERN.search(str(folder)):
        yield folder
        return
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="popjax-") as place:
        link = Path(place) / "checkpoint"
        link.symlink_to(folder, target_is_directory=True)
        yield link


def save(folder: Path, step: int, state: Any) -> None:
    """Writes the pytree (arrays and typed keys) as the newest checkpoint, whole or not at all."""
    _sums_path(folder).unlink(missing_ok=True)  # of the one before, which is about to go
    try:
        with _manager(folder) as manager:
            manager.save(step, args=ocp.args.StandardSave(state))
    except BaseException:
        _tidy(folder)
        raise
    _write_sums(folder, step)


def latest(folder: Path) -> int | None:
    """The step of the newest checkpoint, or None. Raises CheckpointError if that cannot be read."""
    if not Path(folder).exists():
        return None
    try:
        if not Path(folder).is_dir():
            raise NotADirectoryError("a file in its place")
        with _manager(folder) as manager:
            return manager.latest_step()
    except Exception as error:
        raise _damaged(folder, "the checkpoint", error) from error


def restore(folder: Path, step: int, like: Any) -> Any:
    """The pytree saved at that step; `like` gives structure, shapes, dtypes and placement.

    Raises CheckpointError if it is damaged or of another shape, or if it has an `update` that is
    not the step.
    """
    abstract = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), like
    )
    try:
        _check_sums(folder, step)
        with _manager(folder) as manager:
            state = manager.restore(step, args=ocp.args.StandardRestore(abstract))
        _check(state, abstract, step)
    except Exception as error:  # orbax raises many kinds for a file that is torn or missing
        raise _damaged(folder, f"the checkpoint {step}", error) from error
    return state


def _damaged(folder: Path, what: str, error: Exception) -> CheckpointError:
    first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return CheckpointError(
        f"{what} in {folder} is damaged or of another run "
        f"({first_line[:120]}): delete that folder to start this cell again"
    )


def _check(state: Any, like: Any, step: int) -> None:
    for leaf, wanted in zip(jax.tree.leaves(state), jax.tree.leaves(like), strict=True):
        if (leaf.shape, leaf.dtype) != (wanted.shape, wanted.dtype):
            raise ValueError(f"an array of shape {leaf.shape}, not {wanted.shape}")
    update = step if isinstance(state, dict) else getattr(state, "update", step)
    if np.any(np.asarray(update) != step):
        raise ValueError(f"its state is that of update {np.max(np.asarray(update))}")


def _sums_path(folder: Path) -> Path:
    return Path(folder).with_name(f"{Path(folder).name}.json")


def _sums(folder: Path, step: int) -> dict[str, str]:
    """The SHA-256 of each file of a checkpoint, by its path."""
    root = Path(folder) / str(step)
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _write_sums(folder: Path, step: int) -> None:
    path = _sums_path(folder)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    text = json.dumps({"step": step, "files": _sums(folder, step)}, indent=1)
    try:
        with open(temporary, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _check_sums(folder: Path, step: int) -> None:
    """A ValueError unless the files are those that were written, as far as that is known."""
    path = _sums_path(folder)
    if not path.exists():
        return
    try:
        known = json.loads(path.read_bytes())
        of, files = known["step"], dict(known["files"])
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError(f"{path} is torn: remove only that file to continue unchecked") from None
    if of != step:
        raise ValueError(f"{path.name} is that of step {of}")
    found = _sums(folder, step)
    for name in sorted(files.keys() | found.keys()):
        if files.get(name) != found.get(name):
            raise ValueError(f"{name} is not as it was written")


def _tidy(folder: Path) -> None:
    """Removes what orbax leaves of a checkpoint that it could not finish."""
    with suppress(OSError):
        for path in Path(folder).glob("*.orbax-checkpoint-tmp*"):
            shutil.rmtree(path, ignore_errors=True)
