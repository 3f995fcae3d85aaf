"""Generalised advantage estimation."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def gae(
    reward: Float[Array, "T B"],
    value: Float[Array, "T B"],
    last: Array,
    bootstrap: Float[Array, " B"],
    gamma: Any,
    gae_lambda: Any,
    final_value: Any = 0.0,
) -> tuple[Float[Array, "T B"], Float[Array, "T B"]]:
    """Generalised advantage estimates and value targets (Schulman et al. 2016, arXiv 1506.02438).

    last: `[T, B]` action[t] ended the episode. bootstrap: the value of the observation after the
    last row. final_value: the value of what follows an episode that ended at t (0 unless it was
    only truncated).

    >>> one = jnp.ones((2, 1))
    >>> gae(one, 0 * one, jnp.zeros((2, 1), bool), jnp.zeros(1), 1.0, 1.0)[0].ravel().tolist()
    [2.0, 1.0]
    """
    next_value = jnp.concatenate([value[1:], bootstrap[None]])
    next_value = jnp.where(last, final_value, next_value)
    delta = reward + gamma * next_value - value
    decay = gamma * gae_lambda

    def back(advantage, row):
        delta, last = row  # selected, not multiplied by 0: what follows an end may be no number
        advantage = delta + jnp.where(last, 0.0, decay * advantage)
        return advantage, advantage

    rows = (delta, jnp.asarray(last, bool))
    _, advantage = jax.lax.scan(back, jnp.zeros_like(bootstrap), rows, reverse=True)
    return advantage, advantage + value
