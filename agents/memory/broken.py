"""Keeps infinities and NaN where a loop over the steps would keep them.

What is no finite number breaks the state it enters, from then on until the next start. Forms over
many steps multiply what a step must not see by 0, which an infinity or NaN would survive. So they
put 0 in its place first, and NaN into the outputs that it reaches.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def finite(x: Float[Array, "*n"]) -> Float[Array, "*n"]:
    """`x` with 0 for infinities and NaN."""
    return jnp.where(jnp.isfinite(x), x, 0.0)


def broken(*parts: Float[Array, "*n K"]) -> Bool[Array, "*n"]:
    """Where one of the vectors holds an infinity or NaN; the parts may differ in K."""
    found = [~jnp.isfinite(part).all(axis=-1) for part in parts]
    return jnp.stack(found).any(axis=0) if len(found) > 1 else found[0]


def from_then_on(
    broken: Bool[Array, "*n C"], before: Bool[Array, "*n"], segment: Int[Array, "*n C"]
) -> Bool[Array, "*n C"]:
    """The steps that are broken or follow a broken one in the same segment.

    before: the state that segment 0 continues is broken.

    >>> at = jnp.array([False, False, True, False, False])
    >>> from_then_on(at, jnp.array(True), jnp.array([0, 1, 1, 1, 2])).astype(int).tolist()
    [1, 0, 1, 1, 0]
    """
    axis = broken.ndim - 1
    step = jnp.arange(broken.shape[-1])
    fresh = jnp.diff(segment, axis=-1, prepend=0) > 0
    begin = jax.lax.cummax(jnp.where(fresh, step, -1), axis=axis)
    last = jax.lax.cummax(jnp.where(broken, step, jnp.where(before[..., None], -1, -2)), axis=axis)
    return last >= begin
