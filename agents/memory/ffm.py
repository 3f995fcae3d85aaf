"""FFM: Fast and Forgetful Memory."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.scans import linear_scan


class FFM(Memory):
    """Fast and Forgetful Memory (Morad et al. 2023, arXiv 2310.04128).

        u = (W_1 x) * sigmoid(W_2 x)        S'[j, k] = exp(-|alpha[j]| - i omega[k]) S[j, k] + u[j]
        g = sigmoid(W_4 x)                  y = g * norm(W_3 [Re S', Im S']) + (1 - g) * W_5 x

    with `trace` rates of forgetting times `context` frequencies. They begin so that after `horizon`
    steps the slowest trace keeps a hundredth, the fastest the least double precision can hold
    (the paper's bounds), and periods are spread evenly from 1 to `horizon` steps.

    State: 2 x trace x context numbers. Time: "parallel" O(log T) depth, "recurrent" T steps; both
    O(T trace context) work besides the projections.
    """

    trace: int = 32
    context: int = 4
    horizon: int = 1024
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.trace, self.context), complex)

    @nn.compact
    def __call__(self, carry, x, start):
        slow, fast = math.log(100.0) / self.horizon, 709.0 / self.horizon
        alpha = self.param("alpha", lambda _: jnp.linspace(slow, fast, self.trace))
        periods = jnp.linspace(1.0, self.horizon, self.context)
        omega = self.param("omega", lambda _: 2 * jnp.pi / periods)
        rate = jax.lax.complex(*jnp.broadcast_arrays(-jnp.abs(alpha)[:, None], -omega))

        sizes = (self.trace, 2 * self.trace, 2 * self.trace + self.features)
        projected = Dense(sizes[-1] + self.features, name="input")(x)
        value, value_gate, skip, gate = jnp.split(projected, sizes, axis=-1)
        value = (value * jax.nn.sigmoid(value_gate))[..., None]
        inputs = jnp.broadcast_to(value, (*value.shape[:-1], self.context))
        state = linear_scan(jnp.exp(rate), inputs, carry, start, mode=self.mode)

        parts = jnp.stack([state.real, state.imag], axis=2).reshape(*x.shape[:-1], -1)
        z = Dense(self.features, name="read")(parts)
        z = nn.LayerNorm(use_bias=False, use_scale=False, name="norm")(z)
        gate = jax.nn.sigmoid(gate)
        return state[-1], gate * z + (1 - gate) * skip
