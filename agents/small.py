"""A small untrained agent, for examples."""

from __future__ import annotations

from typing import Any

import jax

from agents.agent import Agent
from agents.distributions import num_outputs
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone
from popjax.core import Environment
from popjax.envs.repeat_first import RepeatFirst


def small(
    memory: str = "gru", features: int = 8, seed: int = 0
) -> tuple[Environment, ActorCritic, Any]:
    """An environment, the network of an agent on one block of a memory model, and parameters that
    have learned nothing; the agent reads "obs+action".

    >>> env, network, params = small()
    >>> env.name, network.num_actions, network.backbone.state_size()
    ('RepeatFirst', 4, 8)
    """
    env = RepeatFirst()
    backbone = Backbone((MEMORIES[memory](features),))
    network = ActorCritic(backbone, num_outputs(env.action_space), head_features=features)
    return env, network, jax.jit(Agent.of(env, network).init)(jax.random.key(seed))
