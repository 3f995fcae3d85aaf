"""gymnax 1.x: `to_gymnax` and `register_with_gymnax`, and the other way `from_gymnax`.

gymnax has no space of several integers. As an observation they are a Box of integers here; as an
action (row and column of a board) one Discrete, counted row by row.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from popjax import registry
from popjax.adapters import neighbour
from popjax.adapters.foreign import ForeignEnvironment, refused, to_box
from popjax.adapters.renewal import renew, typed
from popjax.core import Environment, State, TimeStep
from popjax.spaces import Box, Discrete, check_type

gymnax = neighbour("gymnax", extra="gymnax")
environment = neighbour("gymnax.environments.environment", extra="gymnax")
spaces = neighbour("gymnax.environments.spaces", extra="gymnax")


class GymnaxParams(struct.PyTreeNode):
    """max_steps_in_episode: a smaller number cuts episodes short; a larger one changes nothing.

    >>> import popjax
    >>> to_gymnax(popjax.make("RepeatFirstEasy")).default_params
    GymnaxParams(max_steps_in_episode=51)
    """

    max_steps_in_episode: int


class GymnaxState(struct.PyTreeNode):
    """hidden: the environment's own state. timestep: the last one. time: `[]` steps taken.

    >>> import popjax
    >>> env = to_gymnax(popjax.make("RepeatFirstEasy"))
    >>> obs, state = env.reset(jax.random.key(0))
    >>> state.time.item(), bool(state.timestep.obs == obs)
    (0, True)
    """

    hidden: State
    timestep: TimeStep
    time: jax.Array


def observation_space(space: Discrete | Box, flat: bool = False) -> Any:
    """A space as a gymnax one; `flat`, that of `space.flatten`.

    >>> observation_space(Discrete((2, 4)))
    Box(low=[0 0], high=[1 3], shape=(2,), dtype=int32)
    """
    if isinstance(space, Box):
        low, high = (np.asarray(bound, np.float32) for bound in (space.low, space.high))
        return spaces.Box(low, high, space.shape, jnp.float32)
    if flat:
        return spaces.Box(0.0, 1.0, (space.flat_size,), jnp.float32)
    if not space.shape:
        return spaces.Discrete(space.sizes)
    low, high = np.zeros(space.shape, np.int32), np.asarray(space.sizes, np.int32) - 1
    return spaces.Box(low, high, space.shape, jnp.int32)


def action_space(space: Discrete | Box) -> Any:
    """A space of actions as a gymnax one.

    >>> action_space(Discrete((4, 4)))
    Discrete(16, dtype=int32)
    """
    if isinstance(space, Discrete) and space.shape:
        return spaces.Discrete(math.prod(space.sizes))
    return observation_space(space)


class GymnaxEnvironment(environment.Environment):
    """An environment under gymnax's contract. Equal ones share their compiled programs.

    >>> import popjax
    >>> env = GymnaxEnvironment(popjax.make("RepeatFirstEasy"), flat_obs=True)
    >>> env.name, env.num_actions, env.observation_space().shape
    ('RepeatFirst', 4, (4,))
    """

    def __init__(self, env: Environment, flat_obs: bool = False):
        self.env = env
        self.flat_obs = flat_obs

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, GymnaxEnvironment) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((self.env, self.flat_obs))

    @property
    def default_params(self) -> GymnaxParams:
        return GymnaxParams(max_steps_in_episode=self.env.max_steps)

    @functools.partial(jax.jit, static_argnames=("self",))
    def step(self, key, state, action, params=None):
        """One action, and a new episode where that ended one: `(obs, state, reward, terminated,
        truncated, info)`. As gymnax's own, but only the episodes that ended are reset."""
        params = self.default_params if params is None else params
        key_step, key_reset = jax.random.split(typed(key))
        final_obs, state, reward, terminated, info = self.step_env(key_step, state, action, params)
        truncated = self.is_truncated(state, params)
        state = renew(self._begin, key_reset, terminated | truncated, state)
        info |= {
            "terminated": terminated,
            "truncated": truncated,
            "final_observation": final_obs,
        }
        return self._obs(state), state, reward, terminated, truncated, info

    def step_env(self, key, state, action, params):
        """One action, no reset: `(obs, state, reward, terminated, info)`."""
        hidden, timestep = self.env.step(typed(key), state.hidden, self._action(action))
        state = GymnaxState(hidden=hidden, timestep=timestep, time=state.time + 1)
        obs, state = self._apply_transition_gradient_policy(self._obs(state), state)
        return obs, state, timestep.reward, timestep.terminated, {}

    def reset_env(self, key, params):
        state = self._begin(typed(key))
        return self._obs(state), state

    def observe(self, key, state, action, params):
        return self._obs(state)

    def is_terminated(self, state, params):
        return state.timestep.terminated

    def is_truncated(self, state, params):
        limit = params.max_steps_in_episode
        cut_short = (state.time >= limit) & (limit < self.env.max_steps)
        return state.timestep.truncated | cut_short

    @property
    def name(self) -> str:
        return self.env.name

    @property
    def num_actions(self) -> int:
        space = action_space(self.env.action_space)
        return space.n if isinstance(space, spaces.Discrete) else math.prod(space.shape)

    def action_space(self, params=None):
        return action_space(self.env.action_space)

    def observation_space(self, params=None):
        return observation_space(self.env.observation_space, self.flat_obs)

    def _begin(self, key) -> GymnaxState:
        hidden, timestep = self.env.reset(key)
        return GymnaxState(hidden=hidden, timestep=timestep, time=jnp.int32(0))

    def _obs(self, state: GymnaxState) -> jax.Array:
        obs = state.timestep.obs
        return self.env.observation_space.flatten(obs) if self.flat_obs else obs

    def _action(self, action) -> jax.Array:
        space = self.env.action_space
        if isinstance(space, Discrete) and space.shape:
            # Clipped here: a number past the last cell is the last cell, not one in its column.
            check_type(Discrete(space.num_values), action)
            cell = jnp.clip(jnp.asarray(action), 0, space.num_values - 1)
            return jnp.stack(jnp.unravel_index(cell, space.sizes), axis=-1)
        return jnp.reshape(jnp.asarray(action), space.shape)


def to_gymnax(env: Environment, flat_obs: bool = False) -> GymnaxEnvironment:
    """The environment under gymnax's contract, with gymnax's own spaces.

    flat_obs: observations are float vectors, integers as one-hot codes, which is what networks
        written for gymnax expect.

    >>> import popjax
    >>> env = to_gymnax(popjax.make("MineSweeperEasy"))
    >>> obs, state = env.reset(jax.random.key(0))
    >>> obs, state, reward, terminated, truncated, info = env.step(jax.random.key(1), state, 15)
    >>> env.default_params.max_steps_in_episode, env.num_actions
    (14, 16)
    """
    return GymnaxEnvironment(env, flat_obs)


_registered: set[str] = set()


def register_with_gymnax(prefix: str = "") -> list[str]:
    """Makes `gymnax.make(prefix + id)` work for every id, and returns those names. Keywords of
    `gymnax.make` are `flat_obs` and the environment's own fields.

    >>> names = register_with_gymnax("popjax/")
    >>> env, params = gymnax.make("popjax/RepeatPreviousEasy", k=8)
    >>> env.env
    RepeatPrevious(deck=Deck(kinds=4, each=13), k=8)
    """
    names = {prefix + env_id: env_id for env_id in registry.ENVS}
    for name in names.keys() - _registered:
        gymnax.register(name, functools.partial(_make, names[name]))
        _registered.add(name)
    return list(names)


def _make(env_id: str, flat_obs: bool = False, **changes: Any) -> GymnaxEnvironment:
    return to_gymnax(registry.make(env_id, **changes), flat_obs)


class FromGymnax(ForeignEnvironment):
    """An environment of gymnax under our protocol, see `from_gymnax`.

    >>> from_gymnax(gymnax.make("CartPole-v1")).max_steps
    500
    """

    def _space(self, kind):
        space = getattr(self.env, f"{kind}_space")(self.params)
        if isinstance(space, spaces.Discrete):
            ours, shape = Discrete(int(space.n)), ()
        elif isinstance(space, spaces.Box):
            shape = tuple(space.shape)
            ours = to_box(space.low, space.high, shape)
        else:
            raise refused(self.name, kind, space, "gymnax's Discrete and Box")
        return ours if kind == "observation" else (ours, shape)

    def _begin(self, key):
        obs, state = self.env.reset_env(key, self.params)
        return state, obs

    def _go_on(self, key, inner, action):
        obs, inner, reward, terminated, _ = self.env.step_env(key, inner, action, self.params)
        return inner, obs, reward, terminated, self.env.is_truncated(inner, self.params)


def from_gymnax(env: Any, params: Any = None, max_steps: int | None = None) -> FromGymnax:
    """An environment of gymnax 1.x under our protocol: everything here trains on it.

    env: the environment, or what `gymnax.make` returns, with its parameters. params: others than
        its own. max_steps: no episode is longer; its `max_steps_in_episode` if not given.

    Observations and actions are gymnax's Discrete, or a Box, whose arrays become vectors; any other
    space is a ValueError of one line.

    >>> env = from_gymnax(gymnax.make("MemoryChain-bsuite"), max_steps=50)
    >>> env
    FromGymnax(MemoryChain-bsuite, max_steps=50)
    >>> env.observation_space, env.action_space
    (Box(low=(0.0, 0.0, 0.0), high=(2.0, 2.0, 2.0)), Discrete(sizes=2))
    """
    if isinstance(env, tuple):
        env, own = env
        params = own if params is None else params
    params = env.default_params if params is None else params
    limit = int(params.max_steps_in_episode) if max_steps is None else max_steps
    return FromGymnax(env, params, limit)
