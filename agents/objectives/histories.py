"""What an objective learns from: whole episodes, who chose the actions, and what was right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

from agents.agent import Agent
from agents.positions import answerable
from popjax.core import Environment
from popjax.players import Episodes, Player
from popjax.players.follow import Follow


class Batch(struct.PyTreeNode):
    """`B` whole episodes of at most `T` steps, all `[T, B, ...]`.

    x, start: what the network reads. valid: steps before the end. action: flat code of the action
        taken. token: what answered it.
    label: the oracle's action as one number. labelled: there is one, and it can be right.
    sampled, log_prob: the learner's own choice where it is judged on that, an action or a guess,
        and how likely that was. reward: the environment's.
    reference: log-probability of that choice under the frozen model, of `rlhf`.
    weight: what the log-probability of that choice is multiplied by.
    """

    x: Float[Array, "T B d"]
    start: Bool[Array, "T B"]
    valid: Bool[Array, "T B"]
    action: Float[Array, "T B a"]
    token: Int[Array, "T B m"]
    label: Int[Array, "T B"]
    labelled: Bool[Array, "T B"]
    sampled: Int[Array, "T B"]
    log_prob: Float[Array, "T B"]
    reward: Float[Array, "T B"]
    reference: Float[Array, "T B"]
    weight: Float[Array, "T B"]


class Chooser(NamedTuple):
    """Who acts, for `B` episodes at once. begin: `() -> memory`. act: `(key, memory, obs, states,
    previous action, start) -> (memory, action)`."""

    begin: Callable[[], Any]
    act: Callable[..., tuple[Any, Array]]


def by_player(player: Player, num_episodes: int) -> Chooser:
    """A scripted player in every episode."""

    def act(key, memory, obs, states, previous, start):
        return jax.vmap(player.act)(jax.random.split(key, num_episodes), memory, obs, states)

    return Chooser(lambda: player.begin_all(num_episodes), act)


def by_agent(
    agent: Agent, params: Any, num_episodes: int, greedy: Bool[Array, ""] | bool = False
) -> Chooser:
    """An agent, whose actions are samples or the likeliest."""

    def act(key, carry, obs, states, previous, start):
        carry, action, _ = agent.act(params, key, carry, obs, start, previous, greedy)
        return carry, action

    return Chooser(lambda: agent.initial_carry(num_episodes), act)


def histories(
    env: Environment,
    chooser: Chooser,
    key: Key[Array, ""],
    num_episodes: int,
    oracle: tuple[Player, Follow] | None = None,
    group: int = 1,
    coupled: bool = True,
) -> tuple[Episodes, Int[Array, "T N"], Bool[Array, "T N"]]:
    """Plays whole episodes; with them what the oracle would have done at every step, as one
    number, and where that can be right. The key is consumed.

    group: so many episodes in a row share the key of their reset, and if `coupled` those of their
    steps too. Cards are dealt when they are seen, so the same deck takes the same steps.
    """
    teacher, correct = oracle or (None, None)
    num_groups = num_episodes // group
    key_reset, key_steps = jax.random.split(key)

    def keys_of_groups(key, shared):
        keys = jax.random.split(key, num_groups if shared else num_episodes)
        return jnp.repeat(keys, group) if shared and group > 1 else keys

    def one_step(carry, step):
        states, obs, memory, taught, previous, over = carry
        t, key = step
        key_act, key_teach, key_env = jax.random.split(key, 3)
        memory, action = chooser.act(
            key_act, memory, obs, states, previous, jnp.full_like(over, t == 0)
        )
        taken = env.action_space.nearest(action)
        label = jnp.zeros_like(over, jnp.int32)
        if teacher:
            keys = jax.random.split(key_teach, num_episodes)
            after, best = jax.vmap(teacher.act)(keys, taught, obs, states)
            taught = jax.vmap(correct)(taught, after, taken)
            label = env.action_space.to_number(best)
        next_states, timesteps = jax.vmap(env.step)(
            keys_of_groups(key_env, coupled), states, action
        )
        record = Episodes.record(obs, taken, timesteps, over)
        can = jax.vmap(lambda obs: answerable(env, obs, t))(obs)
        carry = (next_states, timesteps.obs, memory, taught, taken, over | timesteps.last)
        return carry, (record, label, can & ~over)

    states, timesteps = jax.vmap(env.reset)(keys_of_groups(key_reset, True))
    taught = teacher.begin_all(num_episodes) if teacher else ()
    space = env.action_space
    previous = jnp.zeros((num_episodes, *space.shape), space.dtype)
    carry = (states, timesteps.obs, chooser.begin(), taught, previous, timesteps.last)
    times = jnp.arange(env.max_steps)
    steps = (times, jax.random.split(key_steps, env.max_steps))
    return jax.lax.scan(one_step, carry, steps)[1]


def own_labels(env: Environment, episodes: Episodes) -> tuple[Array, Array]:
    """The labels of a player on its own histories: what it did."""
    times = jnp.arange(len(episodes.reward))
    can = jax.vmap(lambda obs, t: jax.vmap(lambda o: answerable(env, o, t))(obs))
    return env.action_space.to_number(episodes.action), can(episodes.obs, times) & episodes.valid
