"""The protocol of a memory model: sequences in, sequences out."""

from __future__ import annotations

import math
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
