"""An observation as tokens of one component or several, and back."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Array, Bool, Int

from popjax.bins import NUM_BINS
from popjax.core import Environment
from popjax.families import family_of
from popjax.spaces import Box

LARGEST_JOINT = 512


@dataclass(frozen=True)
class Whole:
    """Its components are one token together, the first one leading, if there are at most 512 such
    tokens; else a token each.

    All leading axes are kept. first: where the observation begins an episode. previous: number of
    the action before it. num_bins: of each real component.
    """

    env: Environment
    num_bins: int = NUM_BINS

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


def observation_of(env: Environment, num_bins: int = NUM_BINS) -> Whole:
    """How the observations of an environment are written.

    >>> import jax.numpy as jnp
    >>> import popjax
    >>> written = observation_of(popjax.make("CountRecallEasy"))
    >>> written.sizes, written.encode(jnp.array([1, 0])).tolist()
    ((4,), [2])
    """
    written = family_of(env).written
    if written is Whole and isinstance(env.observation_space, Box):
        raise ValueError(f"it is not known how the real observations of {env.name} are written")
    return written(env, num_bins)
