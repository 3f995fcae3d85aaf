"""Environment and agent together: `[T, B]` data and episode statistics."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

from agents.agent import Agent
from popjax import batch
from popjax.core import Environment, State


class Actor(struct.PyTreeNode):
    """The state of `B` agents between two steps; all leaves have the leading axis `[B]`.

    start: obs begins an episode. previous_action: meaningless where `start`.
    episode_return, episode_length: of the current episode.

    >>> from agents.small import small
    >>> env, network, _ = small()
    >>> actor = reset_actors(env, Agent.of(env, network), jax.random.key(0), num_envs=2)
    >>> actor.start.tolist(), actor.episode_length.tolist()
    ([True, True], [0, 0])
    """

    states: State
    obs: Array
    start: Bool[Array, " B"]
    previous_action: Array
    carry: Any
    episode_return: Float[Array, " B"]
    episode_length: Int[Array, " B"]


class Transition(struct.PyTreeNode):
    """Transitions, `[T, B, ...]`.

    x: the agent's input. start: obs[t] begins an episode. action, log_prob, policy, value: of the
    agent at this step (action: the sample to which log_prob belongs, of which the environment takes
    the nearest in its space; policy: raw outputs). reward, terminated, truncated: of that action.
    final_value: the value of the last observation of an episode that was truncated; 0 elsewhere,
    and everywhere unless it was requested.

    >>> row = jnp.zeros((1, 1))
    >>> ended = Transition(row, row, row, row, row, row, row, row > 0, row == 0, row)
    >>> ended.last.tolist()
    [[True]]
    """

    x: Float[Array, "T B d"]
    start: Bool[Array, "T B"]
    action: Array
    log_prob: Float[Array, "T B"]
    policy: Float[Array, "T B n"]
    value: Float[Array, "T B"]
    reward: Float[Array, "T B"]
    terminated: Bool[Array, "T B"]
    truncated: Bool[Array, "T B"]
    final_value: Float[Array, "T B"]

    @property
    def last(self) -> Bool[Array, "T B"]:
        return self.terminated | self.truncated


class EpisodeStats(struct.PyTreeNode):
    """Sums over the episodes that ended: how many, their returns, their lengths.

    >>> stats = EpisodeStats(count=4, return_sum=2.0, length_sum=204)
    >>> stats.return_sum / stats.count
    0.5
    """

    count: Int[Array, ""]
    return_sum: Float[Array, ""]
    length_sum: Int[Array, ""]


def reset_actors(env: Environment, agent: Agent, key: Key[Array, ""], num_envs: int) -> Actor:
    """`num_envs` agents at the first observation of an episode each. The key is consumed.

    >>> from agents.small import small
    >>> env, network, _ = small()
    >>> reset_actors(env, Agent.of(env, network), jax.random.key(0), num_envs=3).obs.shape
    (3,)
    """
    states, timesteps = batch.reset(env, key, num_envs)
    return Actor(
        states=states,
        obs=timesteps.obs,
        start=jnp.ones((num_envs,), bool),
        previous_action=agent.first_action(num_envs),
        carry=agent.initial_carry(num_envs),
        episode_return=jnp.zeros((num_envs,)),
        episode_length=jnp.zeros((num_envs,), jnp.int32),
    )


def collect(
    env: Environment,
    agent: Agent,
    params: Any,
    actor: Actor,
    key: Key[Array, ""],
    num_steps: int,
    with_final_value: bool = False,
) -> tuple[Actor, Transition, EpisodeStats]:
    """`num_steps` steps of every agent with automatic reset. The key is consumed.

    >>> from agents.small import small
    >>> env, network, params = small(memory="mlp")
    >>> agent = Agent.of(env, network)
    >>> def run(key):
    ...     return collect(env, agent, params, reset_actors(env, agent, key, 2), key, 60)
    >>> actor, data, episodes = jax.jit(run)(jax.random.key(0))
    >>> data.x.shape, episodes.count.item()  # an episode has 51 steps
    ((60, 2, 9), 2)
    """

    def one_step(actor: Actor, key):
        key_action, key_step, key_renew = jax.random.split(key, 3)
        carry, _, thought = agent.act(
            params, key_action, actor.carry, actor.obs, actor.start, actor.previous_action
        )
        action = thought.sample
        states, timesteps = batch.advance(env, key_step, actor.states, action)
        final_value = jnp.zeros_like(thought.value)
        if with_final_value:
            inside = jnp.zeros_like(actor.start)
            truncated = timesteps.truncated & ~timesteps.terminated
            final_value = agent.value(params, carry, timesteps.obs, inside, action)
            final_value = jnp.where(truncated, final_value, 0.0)
        states, timesteps = batch.renew(env, key_renew, states, timesteps)
        last = timesteps.last
        episode_return = actor.episode_return + timesteps.reward
        episode_length = actor.episode_length + 1
        ended = (jnp.where(last, episode_return, 0.0), jnp.where(last, episode_length, 0), last)
        transition = Transition(
            x=thought.x,
            start=actor.start,
            action=action,
            log_prob=agent.distribution(thought.policy).log_prob(action),
            policy=thought.policy,
            value=thought.value,
            reward=timesteps.reward,
            terminated=timesteps.terminated,
            truncated=timesteps.truncated,
            final_value=final_value,
        )
        actor = Actor(
            states=states,
            obs=timesteps.obs,
            start=last,
            previous_action=action,
            carry=carry,
            episode_return=jnp.where(last, 0.0, episode_return),
            episode_length=jnp.where(last, 0, episode_length),
        )
        return actor, (transition, ended)

    actor, (transitions, ended) = jax.lax.scan(one_step, actor, jax.random.split(key, num_steps))
    returns, lengths, last = (jnp.sum(part) for part in ended)
    stats = EpisodeStats(count=last, return_sum=returns, length_sum=lengths)
    return actor, transitions, stats
