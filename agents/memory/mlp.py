"""MLP: no memory at all, the baseline that every other model must beat."""

from __future__ import annotations

import flax.linen as nn

from agents.memory.base import Memory
from agents.memory.dense import Dense


class MLP(Memory):
    """Two dense layers with LeakyReLU, each step by itself (POPGym's BasicMLP, arXiv 2303.01859).

    State: 0 numbers. Time: O(1) depth.
    """

    @nn.nowrap
    def initial_carry(self, batch_size):
        return ()

    @nn.compact
    def __call__(self, carry, x, start):
        x = nn.leaky_relu(Dense(self.features)(x))
        return carry, nn.leaky_relu(Dense(self.features)(x))
