"""GLA: gated linear attention."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.chunks import linear_attention
from agents.memory.dense import Dense
from agents.memory.windows import split_heads


class GLA(Memory):
    """Gated linear attention (Yang et al. 2023, arXiv 2312.06635).

        a = sigmoid(W_2 W_1 x + b)^(1 / temper)      S' = diag(a) S + k v^T     y = S'^T q / sqrt(K)

    for each head, with K = features / (2 heads) key channels that forget each at its own rate, and
    W_1 of rank `rank`. Output: W_o (norm(y) * silu(W_r x)), the norm by head and, as in the
    authors' later code, without the mean taken away.

    State: features^2 / (2 heads) numbers. Time: "parallel" T / C steps of products in chunks of
    C = 64, O(T features (C + K)) work; "recurrent" T steps, O(T features K). Both keep O(T / C)
    states for the gradient.
    """

    heads: int = 4
    rank: int = 16
    temper: float = 16.0
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        width = self.features // self.heads
        return jnp.zeros((batch_size, self.heads, width // 2, width))

    @nn.compact
    def __call__(self, carry, x, start):
        if self.features % (2 * self.heads):
            raise ValueError(f"features={self.features} is no multiple of 2 x heads={self.heads}")
        keys = self.features // 2
        projected = Dense(3 * self.features, use_bias=False, name="query_key_value_gate")(x)
        cuts = (keys, 2 * keys, 2 * keys + self.features)
        query, key, value, gate = jnp.split(projected, cuts, axis=-1)
        forget = Dense(self.rank, use_bias=False, name="forget_down")(x)
        forget = Dense(keys, name="forget_up")(forget)
        log_decay = jax.nn.log_sigmoid(forget) / self.temper
        query, key, value, log_decay = (
            split_heads(part, self.heads) for part in (query, key, value, log_decay)
        )
        query = query / query.shape[-1] ** 0.5
        carry, y = linear_attention(query, key, value, log_decay, carry, start, self.mode)
        y = nn.RMSNorm(name="norm")(y).reshape(gate.shape) * jax.nn.silu(gate)
        return carry, Dense(self.features, use_bias=False, name="output")(y)
