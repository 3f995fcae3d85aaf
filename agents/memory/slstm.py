"""sLSTM: the LSTM with exponential gates and heads."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import orthogonal
from agents.memory.matmul_scan import matmul_scan

GATES = ("input", "forget", "candidate", "output")


def cell(_, carry, gates):
    """One step. c and n are held times exp(-m), which h = o c / n does not feel: no gradient of m.

    n = 0 says that nothing was read yet; from then on n >= 1.
    """
    _, c, n, m = carry
    log_forget = jax.nn.log_sigmoid(gates["forget"])
    new_m = jnp.where(n == 0, gates["input"], jnp.maximum(log_forget + m, gates["input"]))
    new_m = jax.lax.stop_gradient(new_m)
    forget = jnp.exp(jnp.minimum(log_forget + m - new_m, 0.0))
    put = jnp.exp(gates["input"] - new_m)
    c = forget * c + put * jnp.tanh(gates["candidate"])
    n = forget * n + put
    h = jax.nn.sigmoid(gates["output"]) * c / n
    return (h, c, n, new_m), h


class SLSTM(Memory):
    """The sLSTM of xLSTM (Beck et al. 2024, arXiv 2405.04517).

        c' = f c + i tanh(z)     n' = f n + i     h' = sigmoid(o) c' / n'

    where i = exp(W_i x + U_i h + b_i), f = sigmoid(W_f x + U_f h + b_f), and z, o alike. The U are
    block-diagonal, one block a head. c and n are held times exp(-m), m' = max(log f + m, log i), as
    in the paper's equation 15. Output: norm(h), by head. Left out of the paper's block: the
    convolution before i and f, the feed-forward layer, and the mean in the norm.

    State: 4 x features numbers, h, c, n and m. Time: O(T) steps of `[B, F] x [F, 4F]` products.
    """

    heads: int = 4

    @nn.nowrap
    def initial_carry(self, batch_size):
        zeros = jnp.zeros((batch_size, self.features))
        return zeros, zeros, zeros, zeros

    @nn.compact
    def __call__(self, carry, x, start):
        width, rest = divmod(self.features, self.heads)
        if rest:
            raise ValueError(f"features={self.features} is no multiple of heads={self.heads}")
        blocks = self.param("recurrent", orthogonal_heads, (len(GATES), self.heads, width, width))
        weights = {gate: block_diagonal(blocks[i]) for i, gate in enumerate(GATES)}
        inputs = {}
        for gate in GATES:
            bias_init = forget_biases if gate == "forget" else nn.initializers.zeros
            inputs[gate] = Dense(self.features, bias_init=bias_init, name=gate)(x)
        carry, h = matmul_scan(cell, weights, (), carry, inputs, start)
        h = h.reshape(*h.shape[:-1], self.heads, width)
        h = nn.RMSNorm(reduction_axes=-1, feature_axes=(-2, -1), name="norm")(h)
        return carry, h.reshape(*h.shape[:-2], self.features)


def block_diagonal(blocks):
    """`[H, D, D]` to `[H D, H D]`: one product with zeros is faster than H small ones."""
    heads, width, _ = blocks.shape
    matrix = jnp.einsum("hij,hg->higj", blocks, jnp.eye(heads))
    return matrix.reshape(heads * width, heads * width)


def orthogonal_heads(key, shape, dtype=jnp.float32):
    keys = jax.random.split(key, shape[:2])
    return jax.vmap(jax.vmap(lambda k: orthogonal()(k, shape[2:], dtype)))(keys)


def forget_biases(key, shape, dtype=jnp.float32):
    """Memories of 20 to 400 steps side by side."""
    return jnp.linspace(3.0, 6.0, shape[0], dtype=dtype)
