"""Triangular systems by matrix products alone.

LAPACK's routine, batched, can wait for ever on XLA's CPU thread pool (seen with jaxlib 0.10.2 on
two cores), and runs row by row on a GPU.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_vjp
def solve(lower: Float[Array, "*n C C"], right: Float[Array, "*n C V"]) -> Float[Array, "*n C V"]:
    """x with `(I + lower) x = right`, where `lower` is zero on and above the diagonal.

    The gradient with respect to `lower` is that of a full matrix.
    """
    return inverse(lower) @ right


def _solve_forward(lower, right):
    inverted = inverse(lower)
    x = inverted @ right
    return x, (inverted, x)


def _solve_backward(saved, d_x):
    inverted, x = saved
    d_right = inverted.mT @ d_x
    return -d_right @ x.mT, d_right


solve.defvjp(_solve_forward, _solve_backward)


def inverse(lower: Float[Array, "*n C C"]) -> Float[Array, "*n C C"]:
    """Of `I + lower`: of its diagonal blocks of 1, 2, 4, ... rows, until one block is all.

    From [[A, 0], [B, D]]^-1 = [[A^-1, 0], [-D^-1 B A^-1, D^-1]] with all pairs of blocks at once:
    X - X B X, where X holds the inverses so far and B what lies between the two of each pair. As
    stable as substitution, which powers of the matrix are not: of 64 equal keys they reach 10^17.
    """
    row = jnp.arange(lower.shape[-1])
    inverted = jnp.broadcast_to(jnp.eye(len(row), dtype=lower.dtype), lower.shape)
    size = 1
    while size < len(row):
        block = row // size
        between = (block[:, None] == block + 1) & (block % 2 == 0)
        off = jnp.where(between, lower, 0.0)
        inverted = inverted - (inverted @ off @ inverted if size > 1 else off)
        size *= 2
    return inverted
