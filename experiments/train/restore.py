"""The networks of a cell, read back from its folder."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax

from agents import checkpoint
from agents.inputs import Inputs
from agents.lanes import lane_keys
from agents.lm import inputs_of
from agents.sharding import placed_like
from experiments.results.errors import UserError
from experiments.results.spec import CellSpec, own_part
from experiments.train.compile import lane_hyperparams
from experiments.train.objectives import Trainer


def initial_states(spec: CellSpec, trainer: Trainer) -> Any:
    """The state of every seed before its first update."""
    init = jax.jit(jax.vmap(partial(trainer.init, num_updates=spec.num_updates)))
    return init(lane_keys(spec.seeds)[0], lane_hyperparams(spec))


def trained_states(spec: CellSpec, trainer: Trainer, folder: Path) -> Any:
    """The state of every seed as it was saved last; a UserError if none was, or if it is damaged.

    folder: of the cell.
    """
    shapes = jax.eval_shape(partial(initial_states, spec, trainer))
    path = folder / "checkpoint"
    try:
        update = checkpoint.latest(path)
        if update is None:
            raise UserError(f"{folder} has no checkpoint: remove it and train it again")
        return checkpoint.restore(path, update, placed_like(trainer.mesh, shapes))
    except checkpoint.CheckpointError as error:
        raise UserError(str(error)) from None


def inputs_read(spec: CellSpec, trainer: Trainer) -> Inputs:
    """What the network of a cell reads."""
    if own_part(spec.regime) == "ppo":
        return spec.settings.ppo.inputs
    return inputs_of(trainer.env, spec.settings.lm)
