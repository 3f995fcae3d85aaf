"""Saving and restoring whole training runs. All of orbax lives here."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

logging.getLogger("absl").setLevel(logging.CRITICAL)  # what goes wrong is raised, too


class CheckpointError(ValueError):
    """A checkpoint cannot be read; the message is one line that says what to do."""


def _manager(folder: Path) -> ocp.CheckpointManager:
    return ocp.CheckpointManager(
        Path(folder).resolve(),
        options=ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False),
    )


def save(folder: Path, step: int, state: Any) -> None:
    """Writes the pytree (arrays and typed keys) as the newest checkpoint, whole or not at all."""
    with _manager(folder) as manager:
        manager.save(step, args=ocp.args.StandardSave(state))


def latest(folder: Path) -> int | None:
    """The step of the newest checkpoint, or None."""
    if not Path(folder).exists():
        return None
    with _manager(folder) as manager:
        return manager.latest_step()


def restore(folder: Path, step: int, like: Any) -> Any:
    """The pytree saved at that step; `like` gives structure, shapes, dtypes and placement.

    Raises CheckpointError if it is damaged or of another shape.
    """
    abstract = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=leaf.sharding), like
    )
    try:
        with _manager(folder) as manager:
            return manager.restore(step, args=ocp.args.StandardRestore(abstract))
    except Exception as error:  # orbax raises many kinds for a file that is torn or missing
        first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise CheckpointError(
            f"the checkpoint {step} in {folder} is damaged or of another run "
            f"({first_line[:120]}): delete that folder to start this cell anew"
        ) from error
