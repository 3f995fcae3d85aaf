"""The five-value step of gymnax 0.x, which PureJaxRL, rejax, memorax and popjym still use."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import jax
from jaxtyping import Array, Bool, Float

from popjax.adapters.gymnax import GymnaxParams, GymnaxState, to_gymnax
from popjax.core import Environment


@dataclass(frozen=True)
class FiveValueStep:
    """An environment whose `step` returns `(obs, state, reward, done, info)`.

    `done` is `terminated | truncated`, and a new episode has started where it is true. `info` holds
    both flags, and the last observation of the episode as `final_observation`.

    flat_obs: observations are float vectors, integers as one-hot codes. PureJaxRL's and rejax's
        networks need that wherever an observation is a single integer.

    >>> import popjax
    >>> env = FiveValueStep(popjax.make("RepeatFirstEasy"), flat_obs=True)
    >>> obs, state = env.reset(jax.random.key(0), env.default_params)
    >>> obs, state, reward, done, info = env.step(jax.random.key(1), state, 2, env.default_params)
    >>> obs.shape, sorted(info)
    ((4,), ['final_observation', 'terminated', 'truncated'])
    """

    env: Environment
    flat_obs: bool = False

    @functools.partial(jax.jit, static_argnames=("self",))
    def reset(self, key: Array, params: GymnaxParams | None = None) -> tuple[Array, GymnaxState]:
        """Begins an episode; the key is consumed."""
        return self._six.reset(key, params)

    @functools.partial(jax.jit, static_argnames=("self",))
    def step(
        self, key: Array, state: GymnaxState, action: Any, params: GymnaxParams | None = None
    ) -> tuple[Array, GymnaxState, Float[Array, ""], Bool[Array, ""], dict[str, Array]]:
        """One action, and a new episode where that ended one; the key is consumed."""
        obs, state, reward, terminated, truncated, info = self._six.step(key, state, action, params)
        return obs, state, reward, terminated | truncated, info

    @property
    def _six(self):
        return to_gymnax(self.env, self.flat_obs)

    @property
    def default_params(self) -> GymnaxParams:
        return self._six.default_params

    @property
    def name(self) -> str:
        return self.env.name

    @property
    def num_actions(self) -> int:
        return self._six.num_actions

    def action_space(self, params: GymnaxParams | None = None):
        """A gymnax space."""
        return self._six.action_space(params)

    def observation_space(self, params: GymnaxParams | None = None):
        """A gymnax space."""
        return self._six.observation_space(params)
