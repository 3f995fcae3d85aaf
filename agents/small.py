"""A small agent with its first parameters, for examples and quick looks."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

import popjax
from agents.distributions import num_outputs
from agents.inputs import input_size
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone
from popjax.core import Environment


def small(
    env: str = "RepeatFirstEasy", memory: str = "gru", features: int = 8, seed: int = 0
) -> tuple[Environment, ActorCritic, Any]:
    """An environment, an agent on one block of a memory model, and parameters that have learned
    nothing; the agent reads "obs+action".

    >>> env, network, params = small()
    >>> env.name, network.num_actions, network.backbone.state_size()
    ('RepeatFirst', 4, 8)
    """
    made = popjax.make(env)
    backbone = Backbone((MEMORIES[memory](features),))
    network = ActorCritic(backbone, num_outputs(made.action_space), head_features=features)
    x = jnp.zeros((1, 1, input_size(made, "obs+action")))
    begin = jax.random.key(seed), network.initial_carry(1), x, jnp.ones((1, 1), bool)
    return made, network, jax.jit(network.init)(*begin)
