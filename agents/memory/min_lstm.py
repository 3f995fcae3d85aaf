"""minLSTM: an LSTM whose gates see the input alone."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.scans import linear_scan


class MinLSTM(Memory):
    """Minimal long short-term memory (Feng et al. 2024, arXiv 2410.01201).

        f = sigmoid(W_f x)    i = sigmoid(W_i x)    h' = f / (f + i) h + i / (f + i) (W_h x)

    Output: h'. The normalised gates are computed as sigmoid(+-(log f - log i)), which neither
    divides by zero nor needs the paper's form in logarithms.

    State: `features` numbers. Time: "parallel" O(log T) depth, "recurrent" T steps; both
    O(T features) work besides the projections.
    """

    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        forget, into, candidate = jnp.split(Dense(3 * self.features, name="input")(x), 3, axis=-1)
        odds = jax.nn.log_sigmoid(forget) - jax.nn.log_sigmoid(into)
        inputs = jax.nn.sigmoid(-odds) * candidate
        h = linear_scan(jax.nn.sigmoid(odds), inputs, carry, start, mode=self.mode)
        return h[-1], h
