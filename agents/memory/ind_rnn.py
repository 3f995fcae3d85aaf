"""IndRNN: neurons that are recurrent each by itself."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.scans import recurrent_scan


class IndRNN(Memory):
    """Independently recurrent network of `layers` layers (Li et al. 2018, arXiv 1803.04831).

        h' = relu(W x + u * h + b)      for each layer, x being the h' of the layer below

    Output: the top layer's h'. As in POPGym u and b begin uniform between 0 and 1, and |u| is kept
    to 2^(1/length), so that over `length` steps nothing grows more than twofold. The gradient
    passes the bound as if it were not there; else a u beyond it could never come back.

    State: layers x `features` numbers. Time: O(T) steps of elementwise work a layer.
    """

    layers: int = 2
    length: int = 1024

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.layers, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        bound = 2.0 ** (1 / self.length)
        last = []
        for i in range(self.layers):
            uniform = nn.initializers.uniform(1.0)
            free = self.param(f"recurrent_{i}", uniform, (self.features,))
            weight = free + jax.lax.stop_gradient(jnp.clip(free, -bound, bound) - free)
            x = Dense(self.features, bias_init=uniform, name=f"layer_{i}")(x)

            def step(h, x, weight=weight):
                h = jax.nn.relu(x + weight * h)
                return h, h

            h = carry[:, i]
            h, x = recurrent_scan(step, jnp.zeros_like(h), h, x, start)
            last.append(h)
        return jnp.stack(last, axis=1), x
