"""minGRU: a GRU whose gates see the input alone."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.scans import linear_scan


class MinGRU(Memory):
    """Minimal gated recurrent unit (Feng et al. 2024, arXiv 2410.01201).

        z = sigmoid(W_z x)      h' = (1 - z) h + z (W_h x)

    Output: h'. The decays lie between 0 and 1, so the products of the parallel form cannot grow
    and the paper's form in logarithms, with its positive candidates, is not needed.

    State: `features` numbers. Time: "parallel" O(log T) depth, "recurrent" T steps; both
    O(T features) work besides the projections.
    """

    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        update, candidate = jnp.split(Dense(2 * self.features, name="input")(x), 2, axis=-1)
        kept = jax.nn.sigmoid(-update)  # 1 - z without rounding z to 1
        inputs = jax.nn.sigmoid(update) * candidate
        h = linear_scan(kept, inputs, carry, start, mode=self.mode)
        return h[-1], h
