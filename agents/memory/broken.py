"""Keeps an infinite carry inside its own episode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from agents.memory.scans import where_start


def contain(
    read: Callable[[Any], tuple[Any, Float[Array, "T B F"]]], carry: Any, start: Bool[Array, "T B"]
) -> tuple[Any, Float[Array, "T B F"]]:
    """`read(carry)`; a sequence whose carry holds an infinity or NaN yields NaN until it starts.

    For forms over many steps that multiply what must not be seen by 0, which an infinity would
    survive; a single step is `read` as it is.
    """
    if len(start) == 1:
        return read(carry)
    broken = jnp.zeros(start.shape[1], bool)
    for leaf in jax.tree.leaves(carry):
        broken |= ~jnp.isfinite(leaf).all(axis=tuple(range(1, leaf.ndim)))
    new, y = read(where_start(broken, jax.tree.map(jnp.zeros_like, carry), carry))
    ongoing = broken & (jnp.cumsum(start, axis=0) == 0)  # [T, B]
    nan = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), new)
    return where_start(ongoing[-1], nan, new), jnp.where(ongoing[..., None], jnp.nan, y)
