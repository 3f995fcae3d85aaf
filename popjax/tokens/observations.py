"""An observation as tokens of one component or several, and back."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Bool, Int

from popjax.bins import NUM_BINS, Bins
from popjax.core import Environment
from popjax.envs.labyrinth import NONE, Labyrinth
from popjax.spaces import Box

LARGEST_JOINT = 512


@dataclass(frozen=True)
class Whole:
    """Its components are one token together, the first one leading, if there are at most 512 such
    tokens; else a token each.

    All leading axes are kept. first: where the observation begins an episode. previous: number of
    the action before it.
    """

    env: Environment

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of each component of the token."""
        space = self.env.observation_space
        return (space.num_values,) if self._joint else space.components

    def encode(self, obs: Array, first: Bool[Array, "..."] | bool = False) -> Int[Array, "... m"]:
        """The tokens, each from 0."""
        return self.env.observation_space.to_number(obs)[..., None] if self._joint else obs

    def decode(
        self,
        token: Int[Array, "... m"],
        first: Bool[Array, "..."] | bool = False,
        previous: Int[Array, "..."] | int = 0,
    ) -> Array:
        """The observation of those tokens."""
        return self.env.observation_space.from_number(token[..., 0]) if self._joint else token

    @property
    def _joint(self) -> bool:
        space = self.env.observation_space
        return not space.shape or space.num_values <= LARGEST_JOINT


class View(Whole):
    """Labyrinths: the nine squares in view, one by one. The tenth component of the observation is
    the action that stands before it."""

    @property
    def sizes(self):
        return self.env.observation_space.sizes[:9]

    def encode(self, obs, first=False):
        return obs[..., :9]

    def decode(self, token, first=False, previous=0):
        action = jnp.where(first, NONE, previous)
        return jnp.concatenate([token, action[..., None]], axis=-1).astype(jnp.int32)


@dataclass(frozen=True)
class Binned(Whole):
    """Poles and pendulums: the bin of each component, and back to its middle."""

    num_bins: int = NUM_BINS

    @property
    def sizes(self):
        return (self.num_bins,) * self._bins.num_components

    def encode(self, obs, first=False):
        return self._bins.index(obs, first)

    def decode(self, token, first=False, previous=0):
        return self._bins.centre(token, first)

    @property
    def _bins(self) -> Bins:
        return Bins(self.env, self.num_bins)


def observation_of(env: Environment, num_bins: int = NUM_BINS) -> Whole:
    """How the observations of an environment are written.

    >>> import popjax
    >>> written = observation_of(popjax.make("CountRecallEasy"))
    >>> written.sizes, written.encode(jnp.array([1, 0])).tolist()
    ((4,), [2])
    """
    if isinstance(env.observation_space, Box):
        return Binned(env, num_bins)
    return View(env) if isinstance(env, Labyrinth) else Whole(env)
