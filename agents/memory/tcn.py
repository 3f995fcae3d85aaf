"""TCN: one temporal convolution."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.frames import last_frames
from agents.memory.positions import PositionCode


class TCN(Memory):
    """A causal convolution over the last `frames` inputs (Bai et al. 2018, arXiv 1803.01271;
    POPGym's Frameconv, arXiv 2303.01859, which has this one layer).

        y[t] = b + sum_{i < frames} W_i z[t - i]      z = (1 - s) x + s e(t)

    with e(t) the sine position code; z is zero before the start. An input of another width is
    first brought to `features`.

    State: (frames - 1) x features numbers, the past z, and a clock. Time: O(1) depth, O(T frames
    features^2).
    """

    frames: int = 4
    position_code: bool = True

    @nn.nowrap
    def initial_carry(self, batch_size):
        past = jnp.zeros((batch_size, self.frames - 1, self.features))
        return past, jnp.zeros(batch_size, jnp.int32)

    @nn.compact
    def __call__(self, carry, x, start):
        past, time = carry
        if x.shape[-1] != self.features:
            x = Dense(self.features, name="input")(x)
        if self.position_code:
            time, x = PositionCode(name="position")(time, x, start)
        past, frames = last_frames(past, x, start)
        shape = (self.frames, self.features, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(in_axis=(0, 1)), shape)
        bias = self.param("bias", nn.initializers.zeros, (self.features,))
        rows = [frame.reshape(-1, self.features) for frame in frames]
        y = bias + sum(row @ kernel[i] for i, row in enumerate(rows))
        return (past, time), y.reshape(x.shape)
