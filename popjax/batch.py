"""Many episodes at once, with exact automatic reset.

`step` is `advance` followed by `renew`: every episode takes its action, then those that ended are
reset. Only those: they are gathered in groups of fixed size, so that the work is proportional to
the number of episodes that ended, and the result is the same as resetting each one separately. To
get the last observation of an episode, call the two halves yourself.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, Key

from popjax.core import Environment, State, TimeStep
from popjax.fields import whole_number
from popjax.spaces import check_type


def reset(env: Environment, key: Key[Array, ""], num_envs: int) -> tuple[State, TimeStep]:
    """Starts `num_envs` episodes, one or more; every leaf has the leading axis `[num_envs]`. The
    key is consumed.

    >>> import popjax
    >>> _, timesteps = reset(popjax.make("RepeatFirstEasy"), jax.random.key(0), 3)
    >>> timesteps.obs.shape
    (3,)
    """
    num_envs = whole_number(num_envs, "num_envs", 1)
    return jax.vmap(env.reset)(jax.random.split(key, num_envs))


def step(
    env: Environment, key: Key[Array, ""], states: State, actions: Array
) -> tuple[State, TimeStep]:
    """Takes one action in each of `[B]` episodes and resets those that ended. The key is consumed.

    Where `timesteps.last`, reward and flags are those of the episode that ended, while state and
    observation are the first of the next. Actions that are not `[B]` elements of the action space
    by shape and dtype are a ValueError, compiled or not; values outside it are replaced by the
    nearest inside.

    >>> import popjax
    >>> env = popjax.make("RepeatFirstEasy")
    >>> states, timesteps = reset(env, jax.random.key(0), 3)
    >>> states, timesteps = step(env, jax.random.key(1), states, timesteps.obs)
    >>> (timesteps.reward > 0).tolist()
    [True, True, True]
    """
    actions = _checked(env, states, actions)
    key_renew = jax.random.fold_in(key, actions.shape[0])  # beyond those that `advance` makes
    states, timesteps = advance(env, key, states, actions)
    return renew(env, key_renew, states, timesteps)


def advance(
    env: Environment, key: Key[Array, ""], states: State, actions: Array
) -> tuple[State, TimeStep]:
    """Takes one action in each of `[B]` episodes, without reset. The key is consumed.

    >>> import popjax
    >>> env = popjax.make("RepeatFirstEasy")
    >>> states, timesteps = reset(env, jax.random.key(0), 2)
    >>> states, timesteps = advance(env, jax.random.key(1), states, (timesteps.obs + 1) % 4)
    >>> (timesteps.reward < 0).tolist(), timesteps.last.tolist()
    ([True, True], [False, False])
    """
    actions = _checked(env, states, actions)
    keys = jax.random.split(key, actions.shape[0])
    return jax.vmap(env.step)(keys, states, actions)


def _checked(env: Environment, states: State, actions: Any) -> Array:
    """The actions as an array, if they are one action for each episode by shape and dtype."""
    if not isinstance(actions, jax.Array):
        try:
            jnp.result_type(array := np.asarray(actions))
        except (TypeError, ValueError):
            kind = type(actions).__name__
            raise ValueError(f"actions are an array of numbers, not this {kind}") from None
        actions = array
    check_type(env.action_space, actions, jax.tree.leaves(states)[0].shape[:1])
    return actions


def renew(
    env: Environment, key: Key[Array, ""], states: State, timesteps: TimeStep
) -> tuple[State, TimeStep]:
    """Resets those of `[B]` episodes that are over. The key is consumed.

    >>> import popjax
    >>> env = popjax.make("RepeatFirstEasy")
    >>> states, timesteps = reset(env, jax.random.key(0), 2)
    >>> over = timesteps.replace(truncated=jnp.array([True, False]))
    >>> fresh, _ = renew(env, jax.random.key(1), states.replace(asked=jnp.array([9, 9])), over)
    >>> (fresh.asked == 9).tolist()
    [False, True]
    """
    last = timesteps.last
    num_envs = last.shape[0]
    if num_envs == 1:
        return _renew_one(env, key, states, timesteps)
    group = min(num_envs, max(16, num_envs // 16))
    finished = running_count(last)  # the n-th finished episode is where this turns n

    def some_left(carry):
        return carry[0] < finished[-1]

    def renew_group(carry):
        count, states, obs = carry
        index = jnp.searchsorted(finished, count + 1 + jnp.arange(group))  # num_envs: none left
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, count + jnp.arange(group))
        fresh_states, fresh = jax.vmap(env.reset)(keys)
        states, obs = jax.tree.map(
            lambda old, new: old.at[index].set(new, mode="drop", indices_are_sorted=True),
            (states, obs),
            (fresh_states, fresh.obs),
        )
        return count + group, states, obs

    _, states, obs = jax.lax.while_loop(
        some_left, renew_group, (jnp.int32(0), states, timesteps.obs)
    )
    return states, timesteps.replace(obs=obs)


def _renew_one(env, key, states, timesteps):
    """Without the search for what ended, which would cost more than the step."""

    def fresh(_):
        states, timesteps = reset(env, key, 1)
        return states, timesteps.obs

    states, obs = jax.lax.cond(timesteps.last[0], fresh, lambda old: old, (states, timesteps.obs))
    return states, timesteps.replace(obs=obs)


def running_count(flags: Bool[Array, " n"]) -> Int[Array, " n"]:
    """How many flags are true up to each place, itself included.

    Counted in rows of 16, then over the rows: five times faster than `cumsum` on a CPU, which was
    most of the price of a step in which little ends.

    >>> running_count(jnp.array([True, False, True])).tolist()
    [1, 1, 2]
    """
    rows = jnp.pad(flags.astype(jnp.int32), (0, -len(flags) % 16)).reshape(-1, 16)
    for shift in (1, 2, 4, 8):
        rows += jnp.pad(rows, ((0, 0), (shift, 0)))[:, :16]
    before = jnp.cumsum(rows[:, -1]) - rows[:, -1]
    return (rows + before[:, None]).reshape(-1)[: len(flags)]
