"""Torques as tokens: a few evenly spaced levels."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from popjax.core import Environment
from popjax.spaces import Box, Discrete

NUM_TORQUES = 9


@dataclass(frozen=True)
class Levels:
    """Actions from a box of one dimension as one of `num_values` evenly spaced ones, ends included.
    They are counted as those of `Discrete` are.

    >>> levels = Levels(Box((-2.0,), (2.0,)))
    >>> levels.to_number(jnp.array([[-9.0], [0.3]])).tolist(), levels.from_number(8).tolist()
    ([0, 5], [2.0])
    """

    space: Box
    num_values: int = NUM_TORQUES

    def to_number(self, action: Float[Array, "... 1"]) -> Int[Array, "..."]:
        """The nearest level."""
        low, high = self.space.low[0], self.space.high[0]
        steps = (action[..., 0] - low) / (high - low) * (self.num_values - 1)
        return jnp.clip(jnp.round(steps).astype(jnp.int32), 0, self.num_values - 1)

    def from_number(self, number: Int[Array, "..."]) -> Float[Array, "... 1"]:
        """The action of a level."""
        low, high = self.space.low[0], self.space.high[0]
        steps = jnp.asarray(number)[..., None]
        return (low + (high - low) / (self.num_values - 1) * steps).astype(jnp.float32)


def levels_of(env: Environment) -> Discrete | Levels:
    """How the actions of an environment are counted."""
    space = env.action_space
    return Levels(space) if isinstance(space, Box) else space
