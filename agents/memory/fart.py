"""FART: the fast autoregressive transformer, attention without the softmax."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.chunks import linear_attention
from agents.memory.dense import Dense
from agents.memory.positions import PositionCode

EPSILON = 1e-6


class FART(Memory):
    """Linear attention (Katharopoulos et al. 2020, arXiv 2006.16236), one head as in POPGym.

        S' = S + phi(k) v^T     z' = z + phi(k)     y = S'^T phi(q) / (z' . phi(q))

    with phi(x) = elu(x) + 1, and q, k, v linear in (1 - s) x + s e(t), e(t) the sine position code.
    Output: W y + b, from `size` numbers to `features`.

    Repaired: the denominator. The code behind the published scores (POPGym at tag `paper`)
    multiplied the sum of phi(q) by that of z, where the paper has their inner product (its issue
    35). A later release also added a feed-forward layer and a residual path; they are left to the
    backbone here.

    State: `size`^2 + `size` numbers (the columns S and z side by side; `size` is sqrt(features)
    unless given: 16 for 256) and a clock. Time: "parallel" in chunks of C = 64, O(T C size) work;
    "recurrent" T steps, O(T size^2). Memory O(T size) in both.
    """

    size: int | None = None
    mode: str = "auto"
    position_code: bool = True

    @nn.nowrap
    def initial_carry(self, batch_size):
        size = self.size or round(self.features**0.5)
        state = jnp.zeros((batch_size, 1, size, size + 1))
        return state, jnp.zeros(batch_size, jnp.int32)

    @nn.compact
    def __call__(self, carry, x, start):
        state, time = carry
        if self.position_code:
            time, x = PositionCode(name="position")(time, x, start)
        query, key, value = (
            Dense(state.shape[2], use_bias=False, name=name)(x)[:, :, None]
            for name in ("query", "key", "value")
        )
        query, key = nn.elu(query) + 1, nn.elu(key) + 1
        value = jnp.concatenate([value, jnp.ones_like(value[..., :1])], axis=-1)
        state, y = linear_attention(query, key, value, None, state, start, self.mode)
        y = y[:, :, 0, :-1] / (y[:, :, 0, -1:] + EPSILON)
        return (state, time), Dense(self.features, name="output")(y)
