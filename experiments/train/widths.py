"""Widths at which different memory models are equally large."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory import Memory
from experiments.results.errors import UserError

STEP = 8  # widths are multiples of it, so that heads divide them


def widest(size: Callable[[int], int], budget: int, limit: int = 4096) -> int:
    """The largest multiple of 8 up to `limit` with `size(width) <= budget`, by doubling and then
    bisection: widths far beyond the limit are not tried, as their constants take long to compute.

    `size` does not fall. Raises UserError if even the smallest is too large.

    >>> widest(lambda width: width**2, 1000)
    24
    """
    if size(STEP) > budget:
        raise UserError(f"the smallest width, {STEP}, already has {size(STEP):,} > {budget:,}")
    low, high = 1, 2  # size(STEP low) fits
    while STEP * high <= limit and size(STEP * high) <= budget:
        low, high = high, 2 * high
    high = min(high, limit // STEP + 1)  # nothing beyond the limit is tried
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if size(STEP * middle) <= budget else (low, middle)
    return STEP * low


def num_parameters(network: nn.Module, width_in: int) -> int:
    """Trainable numbers of a network that reads vectors of `width_in`; nothing is computed."""
    x, start = jnp.zeros((1, 1, width_in)), jnp.zeros((1, 1), bool)
    shapes = jax.eval_shape(
        lambda key: network.init(key, network.initial_carry(1), x, start), jax.random.key(0)
    )
    return sum(leaf.size for leaf in jax.tree.leaves(shapes.get("params", {})))


def memory_of_parameters(kind: Callable[[int], Memory], budget: int) -> Memory:
    """The widest memory of a kind with at most `budget` parameters, input and output equal."""
    return kind(widest(lambda width: num_parameters(kind(width), width), budget))


def memory_of_state(kind: Callable[[int], Memory], budget: int) -> Memory:
    """The widest memory of a kind that remembers at most `budget` numbers a sequence.

    Where the state does not grow with the width, this is the largest width of all.
    """
    return kind(widest(lambda width: kind(width).state_size(), budget))
