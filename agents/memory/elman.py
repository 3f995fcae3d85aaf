"""Elman: the simple recurrent network."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import orthogonal
from agents.memory.matmul_scan import matmul_scan


def cell(_, h, gates):
    h = jnp.tanh(gates["hidden"])
    return h, h


class Elman(Memory):
    """Simple recurrent network (Elman 1990, Cognitive Science 14).

        h' = tanh(W x + U h + b)

    Output: h'. State: `features` numbers. Time: O(T) steps of one `[B, F] x [F, F]` product.
    """

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        recurrent = self.param("recurrent", orthogonal(), (self.features, self.features))
        inputs = Dense(self.features, name="input")(x)
        return matmul_scan(cell, {"hidden": recurrent}, (), carry, {"hidden": inputs}, start)
