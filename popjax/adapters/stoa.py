"""Stoa, the interface of Stoix: `to_stoa`, and the other way `from_stoa`."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Key

from popjax.adapters import neighbour
from popjax.adapters.foreign import ForeignEnvironment, refused, to_box
from popjax.adapters.renewal import typed
from popjax.core import Environment, State, TimeStep
from popjax.spaces import Box, Discrete

stoa = neighbour("stoa", extra="stoa")


class StoaState(struct.PyTreeNode):
    """hidden: the environment's own state. rng_key: for the steps to come (Stoa's own wrappers
    look for it under this name).

    >>> import popjax
    >>> state, _ = to_stoa(popjax.make("RepeatFirstEasy")).reset(jax.random.key(0))
    >>> state.hidden.deck.shape
    (4,)
    """

    hidden: State
    rng_key: Key[Array, ""]


def to_space(space: Discrete | Box, name: str = "", flat: bool = False) -> Any:
    """A space as a Stoa one; `flat`, that of `space.flatten`.

    >>> to_space(Discrete(4), "action")
    DiscreteSpace(num_values=4, dtype=int32, name='action')
    """
    if isinstance(space, Box):
        low, high = (np.asarray(bound, np.float32) for bound in (space.low, space.high))
        return stoa.BoundedArraySpace(space.shape, jnp.float32, low, high, name)
    if flat:
        return stoa.BoundedArraySpace((space.flat_size,), jnp.float32, 0.0, 1.0, name)
    if not space.shape:
        return stoa.DiscreteSpace(space.sizes, jnp.int32, name)
    return stoa.MultiDiscreteSpace(np.asarray(space.sizes), jnp.int32, name)


class StoaEnvironment(stoa.Environment):
    """An environment under Stoa's contract. Automatic reset is the business of Stoa's wrappers.

    >>> import popjax
    >>> env = StoaEnvironment(popjax.make("RepeatFirstEasy"), flat_obs=True)
    >>> state, timestep = env.reset(jax.random.key(0))
    >>> timestep.observation.shape, float(timestep.discount)
    ((4,), 1.0)
    """

    def __init__(self, env: Environment, flat_obs: bool = False):
        self.env = env
        self.flat_obs = flat_obs

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, StoaEnvironment) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.env, self.flat_obs))

    def reset(self, rng_key, env_params=None):
        """Begins an episode; the key is consumed."""
        key_reset, key_next = jax.random.split(typed(rng_key))
        hidden, timestep = self.env.reset(key_reset)
        state = StoaState(hidden=hidden, rng_key=key_next)
        return state, self._timestep(timestep, stoa.StepType.FIRST)

    def step(self, state, action, env_params=None):
        """One action. An end that is natural and at the time limit both is TERMINATED: nothing
        comes after it."""
        key_step, key_next = jax.random.split(typed(state.rng_key))
        hidden, timestep = self.env.step(key_step, state.hidden, action)
        kind = jnp.where(timestep.truncated, stoa.StepType.TRUNCATED, stoa.StepType.MID)
        kind = jnp.where(timestep.terminated, stoa.StepType.TERMINATED, kind)
        return StoaState(hidden=hidden, rng_key=key_next), self._timestep(timestep, kind)

    def observation_space(self, env_params=None):
        return to_space(self.env.observation_space, "observation", self.flat_obs)

    def action_space(self, env_params=None):
        return to_space(self.env.action_space, "action")

    def state_space(self, env_params=None):
        raise NotImplementedError(
            f"the state of {self.env.name} is a pytree of its own, which no Stoa space describes"
        )

    def _timestep(self, timestep: TimeStep, kind: Array) -> Any:
        obs = timestep.obs
        return stoa.TimeStep(
            step_type=kind,
            reward=timestep.reward,
            discount=1.0 - timestep.terminated.astype(jnp.float32),
            observation=self.env.observation_space.flatten(obs) if self.flat_obs else obs,
            extras={},
        )


def to_stoa(env: Environment, flat_obs: bool = False) -> StoaEnvironment:
    """The environment under Stoa's contract. Step types 2 (terminated) and 3 (truncated) are kept
    apart, and the discount is 0 after the former alone.

    flat_obs: observations are float vectors, integers as one-hot codes.

    >>> import popjax
    >>> env = to_stoa(popjax.make("RepeatFirstEasy"))
    >>> state, timestep = env.reset(jax.random.key(0))
    >>> state, timestep = env.step(state, timestep.observation)
    >>> int(timestep.step_type), float(timestep.discount)
    (1, 1.0)
    """
    return StoaEnvironment(env, flat_obs)


class FromStoa(ForeignEnvironment):
    """An environment of Stoa under our protocol, see `from_stoa`.

    >>> import popjax
    >>> from_stoa(to_stoa(popjax.make("RepeatFirstEasy")), max_steps=51).max_steps
    51
    """

    def _space(self, kind):
        space = getattr(self.env, f"{kind}_space")(self.params)
        if isinstance(space, stoa.DiscreteSpace):
            ours, shape = Discrete(int(space.num_values)), ()
        elif isinstance(space, stoa.MultiDiscreteSpace) and np.ndim(space.num_values) == 1:
            ours, shape = Discrete(tuple(map(int, space.num_values))), tuple(space.shape)
        elif isinstance(space, stoa.BoundedArraySpace):
            shape = tuple(space.shape)
            ours = to_box(space.minimum, space.maximum, shape)
        elif isinstance(space, stoa.ArraySpace):
            shape = tuple(space.shape)
            ours = to_box(-np.inf, np.inf, shape)
        else:
            taken = "Stoa's DiscreteSpace, MultiDiscreteSpace and array spaces"
            raise refused(self.name, kind, space, taken)
        return ours if kind == "observation" else (ours, shape)

    def _begin(self, key):
        state, timestep = self.env.reset(key, self.params)
        return state, timestep.observation

    def _go_on(self, key, inner, action):
        inner, timestep = self.env.step(inner, action, self.params)
        kind = timestep.step_type
        terminated, truncated = kind == stoa.StepType.TERMINATED, kind == stoa.StepType.TRUNCATED
        return inner, timestep.observation, timestep.reward, terminated, truncated


def from_stoa(env: Any, max_steps: int, params: Any = None) -> FromStoa:
    """An environment of Stoa under our protocol: everything here trains on it. Give it without
    Stoa's automatic reset, and one episode, not a batch: `popjax.batch` does both.

    max_steps: no episode is longer; Stoa does not say how long they are. params: what its functions
        take as `env_params`.

    Observations and actions are Stoa's DiscreteSpace, MultiDiscreteSpace of one axis, or an array
    space, whose arrays become vectors; any other space is a ValueError of one line. The draws of a
    step come from the key in Stoa's own state.

    >>> import popjax
    >>> env = from_stoa(to_stoa(popjax.make("MineSweeperEasy")), max_steps=14)
    >>> env.observation_space.shape, env.action_space
    ((), Discrete(sizes=(4, 4)))
    """
    return FromStoa(env, params, max_steps)
