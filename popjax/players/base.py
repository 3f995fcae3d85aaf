"""What a scripted player is, and how one plays whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Key

from popjax.core import Environment, State, TimeStep

Memory = Any  # a player's own pytree


@dataclass(frozen=True)
class Player:
    """A scripted policy.

    name: what it does, in a few words ("card counter").
    sees: "obs" (the present observation and its own last action), "history" (all of them), or
        "privileged" (the hidden state).
    best: "optimal" (no policy of its kind earns more), "bound" (a good one: the best lies at or
        above it), or "baseline".
    begin: `() -> memory`, at the first observation of an episode.
    act: `(key, memory, obs, state) -> (memory, action)`; only a privileged player reads `state`.
        An unbatched, jittable function; the key is consumed.
    """

    name: str
    sees: Literal["obs", "history", "privileged"]
    best: Literal["optimal", "bound", "baseline"]
    begin: Callable[[], Memory]
    act: Callable[[Key[Array, ""], Memory, Array, State], tuple[Memory, Array]]

    def begin_all(self, num_episodes: int) -> Memory:
        """The memories `[num_episodes, ...]` at the first observations of episodes side by side."""
        return jax.tree.map(
            lambda leaf: jnp.broadcast_to(leaf, (num_episodes, *jnp.shape(leaf))), self.begin()
        )


class Episodes(struct.PyTreeNode):
    """`N` episodes of at most `T` steps, time first. Steps after the end are not `valid`.

    obs: `[T, N, ...]` the observation acted upon. next_obs: `[T, N, ...]` the one arrived in.
    action: `[T, N, ...]` as the environment took it, so in its action space whatever the player
        said. reward: `[T, N]`. terminated, truncated, valid: `[T, N]` bool.
    state, next_state: the hidden states `[T, N, ...]`, if requested, else None.
    """

    obs: Array
    action: Array
    reward: Float[Array, "T N"]
    next_obs: Array
    terminated: Bool[Array, "T N"]
    truncated: Bool[Array, "T N"]
    valid: Bool[Array, "T N"]
    state: State = None
    next_state: State = None

    @classmethod
    def record(
        cls,
        obs: Array,
        action: Array,
        timestep: TimeStep,
        over: Bool[Array, "..."],
        **states: State,
    ) -> Episodes:
        """One step, taken alone or in many episodes at once. `over`: the episode had ended before
        it, so the step earns nothing, ends nothing and is not valid."""
        return cls(
            obs=obs,
            action=action,
            reward=jnp.where(over, 0.0, timestep.reward),
            next_obs=timestep.obs,
            terminated=timestep.terminated & ~over,
            truncated=timestep.truncated & ~over,
            valid=~over,
            **states,
        )

    @property
    def returns(self) -> Float[Array, " N"]:
        """Undiscounted return of each episode."""
        return jnp.sum(self.reward * self.valid, axis=0)

    @property
    def lengths(self) -> Array:
        """Steps of each episode."""
        return jnp.sum(self.valid, axis=0)


def random_player(env: Environment) -> Player:
    """Draws every action uniformly from the action space."""
    return Player(
        name="uniform random",
        sees="obs",
        best="baseline",
        begin=lambda: (),
        act=lambda key, memory, obs, state: (memory, env.action_space.sample(key)),
    )


def memoryless(name: str, best: str, rule: Callable[[Array], Array]) -> Player:
    """A player that answers with a function of the present observation alone."""
    return Player(
        name=name,
        sees="obs",
        best=best,
        begin=lambda: (),
        act=lambda key, memory, obs, state: (memory, rule(obs)),
    )


@partial(jax.jit, static_argnames=("env", "player", "num_episodes", "keep_states"))
def play(
    env: Environment,
    player: Player,
    key: Key[Array, ""],
    num_episodes: int,
    keep_states: bool = False,
) -> Episodes:
    """Plays `num_episodes` whole episodes side by side; the key is consumed.

    Compiled once for each player object, so make a player once and keep it.

    >>> import popjax
    >>> env = popjax.make("RepeatFirstEasy")
    >>> play(env, random_player(env), jax.random.key(0), 5).lengths.tolist()
    [51, 51, 51, 51, 51]
    """

    def one_step(carry, key):
        memory, state, obs, over = carry
        key_act, key_step = jax.random.split(key)
        memory, action = player.act(key_act, memory, obs, state)
        next_state, timestep = env.step(key_step, state, action)
        next_state = jax.tree.map(lambda new, old: jnp.where(over, old, new), next_state, state)
        states = {"state": state, "next_state": next_state} if keep_states else {}
        taken = env.action_space.nearest(action)
        record = Episodes.record(obs, taken, timestep, over, **states)
        return (memory, next_state, timestep.obs, over | timestep.last), record

    def one_episode(key):
        key_reset, key_steps = jax.random.split(key)
        state, timestep = env.reset(key_reset)
        carry = (player.begin(), state, timestep.obs, timestep.last)
        return jax.lax.scan(one_step, carry, jax.random.split(key_steps, env.max_steps))[1]

    return jax.vmap(one_episode, out_axes=1)(jax.random.split(key, num_episodes))
