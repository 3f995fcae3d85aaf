"""Corpora of trained agents: their play as whole episodes, like that of scripted players."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Key

from agents.agent import Agent
from agents.evaluate import step_without_reset
from agents.rollout import reset_actors
from popjax.core import Environment
from popjax.players import Episodes


def agent_corpus(
    env: Environment,
    agent: Agent,
    params: Any,
    key: Key[Array, ""],
    num_episodes: int,
    greedy: Bool[Array, ""] | bool = False,
) -> Episodes:
    """`num_episodes` whole episodes of an agent, `[env.max_steps, num_episodes]`: a pure function
    of its arguments, jittable. The key is consumed.

    greedy: the likeliest action instead of a sample; may be traced. The agent acts upon its
    observations, so the source is "history" (`popjax.tokens.source`).
    """
    key_reset, key_steps = jax.random.split(key)
    actor = reset_actors(env, agent, key_reset, num_episodes)

    def one_step(carry, key):
        actor, over = carry
        after, timesteps = step_without_reset(env, agent, params, key, actor, greedy)
        record = Episodes.record(actor.obs, after.previous_action, timesteps, over)
        return (after, over | timesteps.last), record

    over = jnp.zeros((num_episodes,), bool)
    keys = jax.random.split(key_steps, env.max_steps)
    return jax.lax.scan(one_step, (actor, over), keys)[1]
