"""The protocol of a memory model: sequences in, sequences out."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Carry = Any  # a pytree of arrays, each leading with the batch axis


class Memory(nn.Module):
    """Maps a sequence of vectors to a sequence of vectors of width `features`.

    Time first, batch second; one step is a sequence of length 1. Wherever `start[t, b]`, the carry
    of sequence `b` is the initial one before `x[t, b]` is read.

    >>> from agents.memory import MEMORIES
    >>> gru = MEMORIES["gru"](features=4)
    >>> x, start = jnp.ones((10, 2, 3)), jnp.zeros((10, 2), bool)
    >>> params = jax.jit(gru.init)(jax.random.key(0), gru.initial_carry(2), x, start)
    >>> carry, y = jax.jit(gru.apply)(params, gru.initial_carry(2), x, start)
    >>> y.shape, gru.state_size()
    ((10, 2, 4), 4)
    """

    features: int
    caution: ClassVar[str] = ""
    """What to know before training with the model, in one line; mostly nothing."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Every model checks what it is given, see `check_axes`."""
        if "__call__" in vars(cls):
            cls.__call__ = _with_checked_axes(cls.__call__)
        super().__init_subclass__(**options)

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Carry:
        """The carry before the first input, from the fields alone."""
        raise NotImplementedError

    def __call__(
        self, carry: Carry, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Carry, Float[Array, "T B features"]]:
        raise NotImplementedError

    @nn.nowrap
    def state_size(self) -> int:
        """Size of the carry of one sequence in numbers; a complex number counts as two."""
        leaves = jax.tree.leaves(jax.eval_shape(lambda: self.initial_carry(1)))
        return sum(
            math.prod(leaf.shape) * (2 if jnp.issubdtype(leaf.dtype, jnp.complexfloating) else 1)
            for leaf in leaves
        )


def check_axes(name: str, carry: Carry, x: Array, start: Array) -> None:
    """A ValueError of one line unless `x` is `[T, B, d]`, `start` is `[T, B]`, and the carry is
    one of `B` sequences.

    >>> check_axes("gru", jnp.zeros((2, 4)), jnp.zeros((2, 10, 3)), jnp.zeros((2, 10), bool))
    Traceback (most recent call last):
    ...
    ValueError: gru: time first, batch second: x is [T, B, d] and start [T, B], but x of shape
        (2, 10, 3) and start of (2, 10) come with a carry of 2 sequences
    """
    batch = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(carry)}
    if x.ndim == 3 and start.shape == x.shape[:2] and batch <= {x.shape[1:2]}:
        return
    sizes = " or ".join(str(size) for (size,) in sorted(batch) if (size,)) or "no"
    raise ValueError(
        f"{name}: time first, batch second: x is [T, B, d] and start [T, B], but x of shape "
        f"{x.shape} and start of {start.shape} come with a carry of {sizes} sequences"
    )


def _with_checked_axes(call: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(call)
    def checked(self, carry, x, start, *more, **options):
        check_axes(type(self).__name__, carry, x, start)
        return call(self, carry, x, start, *more, **options)

    return checked
