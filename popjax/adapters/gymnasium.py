"""Gymnasium: `GymnasiumEnv`, one episode, and `GymnasiumVectorEnv`, many at once.

NumPy goes in and out, and a step is one compiled call. An action outside its space raises a
ValueError, whatever the batch.

Many episodes are best stepped by `GymnasiumVectorEnv`, in one process. Gymnasium's own
`AsyncVectorEnv` must spawn its processes: JAX has threads, so a process forked after JAX has run
hangs.

    gymnasium.vector.AsyncVectorEnv([make_env] * 4, context="spawn")

where `make_env`, a function of a module, builds the environment, and the call stands under
`if __name__ == "__main__":`.
"""

from __future__ import annotations

import functools
from typing import Any

import jax
import numpy as np

from popjax import batch
from popjax.adapters import neighbour
from popjax.core import Environment
from popjax.fields import whole_number
from popjax.spaces import Box, Discrete, check_type

gymnasium = neighbour("gymnasium", extra="gymnasium")
vector = neighbour("gymnasium.vector", extra="gymnasium")
seeding = neighbour("gymnasium.utils.seeding", extra="gymnasium")


def to_space(space: Discrete | Box) -> Any:
    """A space as a Gymnasium one.

    >>> to_space(Discrete((2, 4))), to_space(Discrete(3))
    (MultiDiscrete([2 4]), Discrete(3))
    """
    if isinstance(space, Box):
        low, high = (np.asarray(bound, np.float32) for bound in (space.low, space.high))
        return gymnasium.spaces.Box(low, high, dtype=np.float32)
    if not space.shape:
        return gymnasium.spaces.Discrete(space.sizes)
    return gymnasium.spaces.MultiDiscrete(space.sizes)


class GymnasiumEnv(gymnasium.Env):
    """One environment under Gymnasium's contract: `reset` returns `(obs, info)`, `step` returns
    `(obs, reward, terminated, truncated, info)` with Python's own float and bools.

    seed: of the first episodes, unless `reset` brings one.
    render_mode: None, "ansi" (text) or "rgb_array" (a picture).

    >>> import popjax
    >>> env = GymnasiumEnv(popjax.make("RepeatFirstEasy"))
    >>> obs, info = env.reset(seed=0)
    >>> _, reward, terminated, truncated, info = env.step(obs)
    >>> round(reward, 3), terminated, truncated
    (0.02, False, False)
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, env: Environment, seed: int | None = None, render_mode: str | None = None):
        _check_render_mode(render_mode, self.metadata["render_modes"])
        self.env = env
        self.render_mode = render_mode
        self.observation_space = to_space(env.observation_space)
        self.action_space = to_space(env.action_space)
        if seed is not None:
            self._np_random, self._np_random_seed = seeding.np_random(seed)
        self._key = self._hidden = self._timestep = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begins an episode."""
        super().reset(seed=seed)
        self._key, self._hidden, self._timestep = _reset(self.env, _new_seed(self.np_random))
        return self._numpy(self._timestep.obs), {}

    def step(self, action: Any):
        """Takes one action."""
        if self._timestep is None:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        actions = _checked(self.env.action_space, _array(action)[None])
        self._key, self._hidden, self._timestep = _step(
            self.env, self._key, self._hidden, actions[0]
        )
        timestep = jax.device_get(self._timestep)
        flags = bool(timestep.terminated), bool(timestep.truncated)
        return self._numpy(timestep.obs), float(timestep.reward), *flags, {}

    def render(self) -> Any:
        """The moment, as `render_mode` says."""
        if self.render_mode is None:
            return None
        if self._timestep is None:
            raise gymnasium.error.ResetNeeded("call reset before render")
        from popjax.render import ansi, rgb_array

        scene = self.env.render(self._hidden, self._timestep)
        return ansi(scene) if self.render_mode == "ansi" else rgb_array(scene)

    def _numpy(self, obs: Any) -> Any:
        return np.array(obs, self.observation_space.dtype)[()]  # a scalar where there is no axis


class GymnasiumVectorEnv(vector.VectorEnv):
    """Many episodes in parallel under Gymnasium's contract. Where one ends, the next starts in the
    same step: `infos["final_obs"][i]` is then the last observation of episode i, for the i in
    `infos["_final_obs"]`; both are absent where none ended.

    seed: of the first reset, unless that brings one.

    >>> import popjax
    >>> envs = GymnasiumVectorEnv(popjax.make("RepeatFirstEasy"), num_envs=3)
    >>> obs, infos = envs.reset(seed=0)
    >>> obs, rewards, terminations, truncations, infos = envs.step(obs)
    >>> rewards.round(3), infos
    (array([0.02, 0.02, 0.02], dtype=float32), {})
    """

    metadata = {"autoreset_mode": vector.AutoresetMode.SAME_STEP}  # noqa: RUF012

    def __init__(self, env: Environment, num_envs: int, seed: int | None = None):
        self.env = env
        self.num_envs = num_envs = whole_number(num_envs, "num_envs", 1)
        self.single_observation_space = to_space(env.observation_space)
        self.single_action_space = to_space(env.action_space)
        self.observation_space = vector.utils.batch_space(self.single_observation_space, num_envs)
        self.action_space = vector.utils.batch_space(self.single_action_space, num_envs)
        if seed is not None:
            self._np_random, self._np_random_seed = seeding.np_random(seed)
        self._key = self._hidden = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None):
        """Begins all episodes."""
        super().reset(seed=seed)
        self._key, self._hidden, timesteps = _reset_all(
            self.env, _new_seed(self.np_random), self.num_envs
        )
        return self._numpy(timesteps.obs), {}

    def step(self, actions: Any):
        """Takes one action in each episode."""
        if self._hidden is None:
            raise gymnasium.error.ResetNeeded("call reset before the first step")
        actions = _array(actions)
        if actions.shape[:1] != (self.num_envs,):
            shape = actions.shape
            raise ValueError(f"{self.num_envs} actions are needed, not an array of shape {shape}")
        actions = _checked(self.env.action_space, actions)
        self._key, self._hidden, timesteps, final_obs = _step_all(
            self.env, self._key, self._hidden, actions
        )
        timestep, final_obs = jax.device_get((timesteps, final_obs))
        infos = {}
        if (last := timestep.terminated | timestep.truncated).any():
            infos = {"final_obs": np.full(self.num_envs, None, object), "_final_obs": last}
            for i in np.flatnonzero(last):
                infos["final_obs"][i] = self._numpy(final_obs[i])
        flags = np.array(timestep.terminated), np.array(timestep.truncated)
        return self._numpy(timestep.obs), np.array(timestep.reward), *flags, infos

    def _numpy(self, obs: Any) -> Any:
        return np.array(obs, self.single_observation_space.dtype)[()]


@functools.partial(jax.jit, static_argnames=("env",))
def _reset(env, seed):
    key_reset, key_next = jax.random.split(jax.random.key(seed))
    return key_next, *env.reset(key_reset)


@functools.partial(jax.jit, static_argnames=("env",))
def _step(env, key, hidden, action):
    key_step, key_next = jax.random.split(key)
    return key_next, *env.step(key_step, hidden, action)


@functools.partial(jax.jit, static_argnames=("env", "num_envs"))
def _reset_all(env, seed, num_envs):
    key_reset, key_next = jax.random.split(jax.random.key(seed))
    return key_next, *batch.reset(env, key_reset, num_envs)


@functools.partial(jax.jit, static_argnames=("env",))
def _step_all(env, key, hidden, actions):
    key_advance, key_renew, key_next = jax.random.split(key, 3)
    hidden, timesteps = batch.advance(env, key_advance, hidden, actions)
    final_obs = timesteps.obs
    return key_next, *batch.renew(env, key_renew, hidden, timesteps), final_obs


def _new_seed(generator: np.random.Generator) -> np.uint32:
    return generator.integers(2**32, dtype=np.uint32)


def _array(x: Any) -> np.ndarray:
    """`x` as an array, of objects where it is none: a ragged list, say."""
    try:
        return np.asarray(x)
    except ValueError:
        array = np.empty((), object)
        array[()] = x
        return array


def _checked(space: Discrete | Box, actions: np.ndarray) -> np.ndarray:
    """`[B, ...]` actions, if all are in the space; a ValueError names the first that is not."""
    if isinstance(space, Box):
        low, high = (np.asarray(bound, np.float32) for bound in (space.low, space.high))
    else:
        low, high = 0, np.asarray(space.sizes) - 1
    try:
        check_type(space, actions, actions.shape[:1])
    except (TypeError, ValueError):
        space.admit(actions[0])  # its words are about one action
        raise
    inside = ((actions >= low) & (actions <= high)).reshape(len(actions), -1).all(axis=1)
    if not inside.all():
        space.admit(actions[inside.argmin()])  # raises
    return actions.astype(space.dtype)


def _check_render_mode(mode: str | None, known: list[str]) -> None:
    if mode is not None and mode not in known:
        raise ValueError(f"render_mode is None, {' or '.join(known)}, not {mode!r}")
