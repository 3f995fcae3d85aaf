"""A trained pair, an agent and a language model, read back from the cells of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents import checkpoint, lm
from agents.agent import Agent
from agents.inputs import Inputs
from agents.networks import ActorCritic
from agents.sharding import placed_like
from experiments.results.errors import UserError
from experiments.results.store import Cell
from experiments.train.compile import lane_hyperparams, lane_keys
from experiments.train.objectives import REGIMES
from popjax.core import Environment
from popjax.players import Player


@dataclass(frozen=True)
class TrainedModel:
    """One trained network. facts: what there is to say of its training, as plain data."""

    env: Environment
    network: Any
    params: Any
    inputs: Inputs
    facts: dict[str, Any]


@dataclass(frozen=True)
class Pair:
    """The two costumes of one backbone, for one environment."""

    agent: TrainedModel
    language_model: TrainedModel


def pair_of(agent: Cell, language_model: Cell) -> Pair:
    """Of two finished cells."""
    return Pair(agent_of(agent), language_model_of(language_model))


def agent_of(cell: Cell) -> TrainedModel:
    """The first seed of a cell trained as `ppo`."""
    trainer, params = _restored(cell)
    _, evaluation, _ = cell.read()
    sampled = evaluation["policy"] == "sampled"
    first = evaluation["seed"] == cell.spec.seeds[0]
    facts = _facts(cell, params) | {
        "return": _rounded(evaluation["return"][sampled & first].mean())
    }
    return TrainedModel(trainer.env, trainer.network, params, cell.spec.settings.ppo.inputs, facts)


def language_model_of(cell: Cell) -> TrainedModel:
    """The first seed of a cell trained as `lm`."""
    trainer, params = _restored(cell)
    _, evaluation, _ = cell.read()
    first = evaluation["seed"] == cell.spec.seeds[0]
    tokens = evaluation["tokens"][first].sum()
    config = cell.spec.settings.lm
    facts = _facts(cell, params) | {
        "nats": _rounded(evaluation["nats"][first].sum() / tokens),
        "floor": _rounded(evaluation["floor"][first].sum() / tokens),
        "corpus": config.player,
    }
    inputs = lm.inputs_of(trainer.env, config)
    return TrainedModel(trainer.env, trainer.network, params, inputs, facts)


def _restored(cell: Cell) -> tuple[Any, Any]:
    spec = cell.spec
    trainer = REGIMES[spec.regime].trainer(spec)
    begin = jax.vmap(lambda key, h: trainer.init(key, h, num_updates=spec.num_updates))
    shapes = jax.eval_shape(begin, lane_keys(spec.seeds)[0], lane_hyperparams(spec))
    try:
        update = checkpoint.latest(cell.checkpoints)
        if update is None:
            raise UserError(f"{cell.folder} has no checkpoint: remove it and train it again")
        state = checkpoint.restore(cell.checkpoints, update, placed_like(trainer.mesh, shapes))
    except checkpoint.CheckpointError as error:
        raise UserError(str(error)) from None
    return trainer, jax.tree.map(lambda leaf: leaf[0], state.params)


def _facts(cell: Cell, params: Any) -> dict[str, Any]:
    spec = cell.spec
    return {
        "memory": spec.memory,
        "features": spec.settings.network.features,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
        "steps": spec.num_updates * spec.steps_per_update,
    }


def _rounded(value: Any) -> float:
    return round(float(value), 4)


def agent_player(agent: TrainedModel) -> Player:
    """The agent as a player, so that whatever plays players plays it too: it samples."""
    own = Agent.of(agent.env, agent.network, agent.inputs)

    def begin():
        return own.initial_carry(1), own.first_action(1), jnp.ones((1,), bool)

    def act(key, memory, obs, state):
        carry, previous, start = memory
        carry, action, _ = own.act(agent.params, key, carry, obs[None], start, previous)
        return (carry, action, jnp.zeros_like(start)), action[0]

    return Player("a trained agent", "history", "baseline", begin, act)


def policy_along(agent: TrainedModel, x: jax.Array, start: jax.Array) -> np.ndarray:
    """`[T, B, n]` the raw outputs of the policy along whole episodes."""
    network: ActorCritic = agent.network
    carry = network.initial_carry(x.shape[1])
    return np.asarray(jax.jit(network.apply)(agent.params, carry, x, start)[1])
