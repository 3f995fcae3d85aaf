"""PosMLP: no memory but a clock."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.positions import PositionCode


class PosMLP(Memory):
    """Two dense layers with LeakyReLU that read the time (POPGym's MLP, arXiv 2303.01859).

        y = f(W f(V ((1 - s) x + s e(t)) + a) + b)

    with e(t) the sine code of the steps since the start and a learned s.
    State: 1 number, the clock. Time: O(1) depth.
    """

    position_code: bool = True

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros(batch_size, jnp.int32)

    @nn.compact
    def __call__(self, carry, x, start):
        if self.position_code:
            carry, x = PositionCode(name="position")(carry, x, start)
        x = nn.leaky_relu(Dense(self.features)(x))
        return carry, nn.leaky_relu(Dense(self.features)(x))
