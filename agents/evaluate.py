"""Evaluation of a trained policy: whole episodes on fresh keys."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from agents.agent import Agent
from agents.rollout import Actor, reset_actors
from popjax import batch
from popjax.core import Environment, TimeStep


def evaluate(
    env: Environment,
    agent: Agent,
    params: Any,
    key: Key[Array, ""],
    num_episodes: int = 256,
    greedy: Bool[Array, ""] | bool = False,
) -> Float[Array, " num_episodes"]:
    """The undiscounted return of each of `num_episodes` episodes. The key is consumed.

    greedy: take the likeliest action instead of a sample; may be traced, so that one program
    serves both.
    """
    key_reset, key_steps = jax.random.split(key)
    actor = reset_actors(env, agent, key_reset, num_episodes)
    over = jnp.zeros((num_episodes,), bool)

    def some_left(loop):
        t, _, over = loop
        return (t < env.max_steps) & ~jnp.all(over)

    def one_step(loop):
        t, actor, over = loop
        key = jax.random.fold_in(key_steps, t)
        actor, timesteps = step_without_reset(env, agent, params, key, actor, greedy)
        earned = jnp.where(over, 0.0, timesteps.reward)
        actor = actor.replace(episode_return=actor.episode_return + earned)
        return t + 1, actor, over | timesteps.last

    _, actor, _ = jax.lax.while_loop(some_left, one_step, (jnp.int32(0), actor, over))
    return actor.episode_return


def step_without_reset(
    env: Environment,
    agent: Agent,
    params: Any,
    key: Key[Array, ""],
    actor: Actor,
    greedy: Bool[Array, ""] | bool = False,
) -> tuple[Actor, TimeStep]:
    """One step of every agent, past the ends of episodes. The key is consumed."""
    key_action, key_step = jax.random.split(key)
    carry, action, _ = agent.act(
        params, key_action, actor.carry, actor.obs, actor.start, actor.previous_action, greedy
    )
    states, timesteps = batch.advance(env, key_step, actor.states, action)
    actor = actor.replace(
        states=states,
        obs=timesteps.obs,
        start=jnp.zeros_like(actor.start),
        previous_action=action,
        carry=carry,
    )
    return actor, timesteps
