"""LSTM: the long short-term memory."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import orthogonal_blocks
from agents.memory.matmul_scan import matmul_scan

GATES = ("input", "forget", "candidate", "output")


def cell(_, carry, gates):
    _, c = carry
    kept = jax.nn.sigmoid(gates["forget"]) * c
    c = kept + jax.nn.sigmoid(gates["input"]) * jnp.tanh(gates["candidate"])
    h = jax.nn.sigmoid(gates["output"]) * jnp.tanh(c)
    return (h, c), h


class LSTM(Memory):
    """Long short-term memory (Hochreiter and Schmidhuber 1997; the forget gate of Gers et al.
    2000; without peepholes).

        i, f, o = sigmoid(W x + U h + b)      g = tanh(W_g x + U_g h + b_g)
        c' = f c + i g                        h' = o tanh(c')

    Output: h'. `forget_bias` is what the bias of f begins with (Jozefowicz et al. 2015).
    State: 2 x `features` numbers, h and c. Time: O(T) steps of one `[B, F] x [F, 4F]` product.
    """

    forget_bias: float = 1.0

    @nn.nowrap
    def initial_carry(self, batch_size):
        zeros = jnp.zeros((batch_size, self.features))
        return zeros, zeros

    @nn.compact
    def __call__(self, carry, x, start):
        width = self.features
        recurrent = self.param("recurrent", orthogonal_blocks, (width, len(GATES) * width))
        weights = dict(zip(GATES, jnp.split(recurrent, len(GATES), axis=1), strict=True))
        inputs = {}
        for gate in GATES:
            bias = self.forget_bias if gate == "forget" else 0.0
            bias_init = nn.initializers.constant(bias)
            inputs[gate] = Dense(width, bias_init=bias_init, name=gate)(x)
        return matmul_scan(cell, weights, (), carry, inputs, start)
