"""Observations blurred by a Gaussian and cut off at the bounds of their space."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from popjax.spaces import Box

MOST_NOISE = 10.0  # standard deviation; nothing of the angle or place is left long before


def blur(
    key: Key[Array, ""], obs: Float[Array, " n"], sigma: float, space: Box
) -> Float[Array, " n"]:
    """`obs` plus normal noise of standard deviation `sigma`, clipped to `space`. The key is
    consumed.

    >>> blur(jax.random.key(0), jnp.zeros(2), 9.0, Box((-1.0, -1.0), (1.0, 1.0))).tolist()
    [1.0, 1.0]
    """
    noisy = obs + sigma * jax.random.normal(key, obs.shape)
    return jnp.clip(noisy, np.asarray(space.low, np.float32), np.asarray(space.high, np.float32))
