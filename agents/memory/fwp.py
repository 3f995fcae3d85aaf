"""FWP: a slow network that programs the weights of a fast one."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.chunks import linear_attention
from agents.memory.dense import Dense
from agents.memory.positions import PositionCode

EPSILON = 1e-5


class FWP(Memory):
    """Fast weight programmer by sums (Schlag et al. 2021, arXiv 2102.11174), one head as in POPGym.

        S' = S + phi(k) v^T     y = S'^T phi(q)     phi(x) = relu(x) / sum(relu(x))

    with q, k, v linear in (1 - s) x + s e(t), e(t) the sine position code. There is no delta rule
    (for that see `delta_net`). Output: W y + b, from `size` numbers to `features`.

    Repaired: the read-out. The code behind the published scores (POPGym at tag `paper`) contracted
    the query with the value's index of S instead of the key's. A later release also added a
    feed-forward layer and a residual path; they are left to the backbone here.

    State: `size`^2 numbers (`size` is sqrt(features) unless given: 16 for 256) and a clock. Time:
    "parallel" in chunks of C = 64, O(T C size) work; "recurrent" T steps, O(T size^2). Memory
    O(T size) in both.
    """

    size: int | None = None
    mode: str = "auto"
    position_code: bool = True

    @nn.nowrap
    def initial_carry(self, batch_size):
        size = self.size or round(self.features**0.5)
        return jnp.zeros((batch_size, 1, size, size)), jnp.zeros(batch_size, jnp.int32)

    @nn.compact
    def __call__(self, carry, x, start):
        state, time = carry
        if self.position_code:
            time, x = PositionCode(name="position")(time, x, start)
        query, key, value = (
            Dense(state.shape[2], use_bias=False, name=name)(x)[:, :, None]
            for name in ("query", "key", "value")
        )
        query, key = to_sum_one(nn.relu(query)), to_sum_one(nn.relu(key))
        state, y = linear_attention(query, key, value, None, state, start, self.mode)
        return (state, time), Dense(self.features, name="output")(y[:, :, 0])


def to_sum_one(x):
    return x / (EPSILON + x.sum(axis=-1, keepdims=True))
