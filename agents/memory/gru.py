"""GRU: the gated recurrent unit."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.initialisers import orthogonal_blocks
from agents.memory.scans import matmul_scan


def cell(bias, h, x, product):
    """One step; `x` and `product` hold the reset, update and candidate parts side by side."""
    x_reset, x_update, x_candidate = jnp.split(x, 3, axis=-1)
    h_reset, h_update, h_candidate = jnp.split(product, 3, axis=-1)
    reset = jax.nn.sigmoid(x_reset + h_reset)
    update = jax.nn.sigmoid(x_update + h_update)
    candidate = jnp.tanh(x_candidate + reset * (h_candidate + bias))
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
        weight = self.param("recurrent", orthogonal_blocks, (width, 3 * width))
        bias = self.param("candidate_bias", nn.initializers.zeros, (width,))
        inputs = nn.Dense(3 * width, name="input")(x)
        return matmul_scan(cell, weight, bias, carry, inputs, start)
