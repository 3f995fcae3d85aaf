"""Frame stack: an MLP on the last few frames."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.frames import last_frames
from agents.memory.positions import PositionCode


class FrameStack(Memory):
    """An MLP on the last `frames` inputs (Mnih et al. 2015; POPGym's, arXiv 2303.01859).

        c = V ((1 - s) x + s e(t))      y = f(W f(U [c[t-3], ..., c[t]] + a) + b)

    with e(t) the sine position code and f the LeakyReLU. Each input is brought to features /
    frames numbers by the one matrix V, whose bias, where the paper has one, is part of a. Frames
    before the start are zero.

    State: (frames - 1) x features / frames numbers, the past c, and a clock. Time: O(1) depth,
    O(T features^2).
    """

    frames: int = 4
    position_code: bool = True

    @nn.nowrap
    def initial_carry(self, batch_size):
        width = max(1, self.features // self.frames)
        past = jnp.zeros((batch_size, self.frames - 1, width))
        return past, jnp.zeros(batch_size, jnp.int32)

    @nn.compact
    def __call__(self, carry, x, start):
        past, time = carry
        if self.position_code:
            time, x = PositionCode(name="position")(time, x, start)
        compressed = Dense(past.shape[-1], use_bias=False, name="compress")(x)
        past, frames = last_frames(past, compressed, start)
        y = nn.leaky_relu(Dense(self.features)(jnp.concatenate(frames[::-1], axis=-1)))
        return (past, time), nn.leaky_relu(Dense(self.features)(y))
