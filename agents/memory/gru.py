"""GRU: the gated recurrent unit."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import orthogonal_blocks
from agents.memory.matmul_scan import matmul_scan


def cell(bias, h, gates):
    reset = jax.nn.sigmoid(gates["reset"])
    update = jax.nn.sigmoid(gates["update"])
    candidate = jnp.tanh(gates["candidate"] + reset * (gates["memory"] + bias))
    h = (1 - update) * candidate + update * h
    return h, h


class GRU(Memory):
    """Gated recurrent unit (Cho et al. 2014, arXiv 1406.1078; reset after the product).

        r = sigmoid(W_r x + U_r h)         u = sigmoid(W_u x + U_u h)
        n = tanh(W_n x + r * (U_n h + b))  h' = (1 - u) n + u h

    Output: h. State: `features` numbers. Time: O(T) steps of one `[B, F] x [F, 3F]` product.
    """

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        width = self.features
        recurrent = self.param("recurrent", orthogonal_blocks, (width, 3 * width))
        bias = self.param("candidate_bias", nn.initializers.zeros, (width,))
        gates = ("reset", "update", "candidate")
        inputs = {gate: Dense(width, name=gate)(x) for gate in gates}
        weights = dict(zip(("reset", "update", "memory"), jnp.split(recurrent, 3, 1), strict=True))
        return matmul_scan(cell, weights, bias, carry, inputs, start)
