"""Gated DeltaNet: the delta rule with forgetting."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.delta_net import FastWeightLayer, empty, sizes
from agents.memory.dense import Dense


class GatedDeltaNet(Memory):
    """Gated DeltaNet (Yang et al. 2024, arXiv 2412.06464).

        S' = a S + beta k (v - a S^T k)^T       y = S'^T q

    as DeltaNet, with a decay for each head and step, a = exp(-exp(A) softplus(w . x + b)), begun
    like Mamba-2's (arXiv 2405.21060): memories of 1 to 1,000 steps side by side.
    Output: W_o (norm(y) * silu(W_g x)), the norm by head.

    State: features (K + (2 expand_k + 1) (conv - 1)) numbers. Time: "parallel" T / C steps of
    matrix products in chunks of C = 32, O(T features (C + K)) work; "recurrent" T steps,
    O(T features K). Both keep O(T / C) states for the gradient. "auto" is parallel for T > 1.
    """

    heads: int = 4
    expand_k: float = 0.5
    conv: int = 4
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return empty(batch_size, sizes(self.features, self.heads, self.expand_k), self.conv)

    @nn.compact
    def __call__(self, carry, x, start):
        beta = jax.nn.sigmoid(Dense(self.heads, name="beta")(x))
        rate = jnp.exp(self.param("log_rate", log_rates, (self.heads,)))
        step = Dense(self.heads, name="step", bias_init=inverse_softplus_of_steps)(x)
        carry, y = FastWeightLayer(
            sizes(self.features, self.heads, self.expand_k), self.conv, self.mode, name="memory"
        )(carry, x, beta, -rate * jax.nn.softplus(step), start)
        y = y * jax.nn.silu(Dense(self.features, use_bias=False, name="gate")(x))
        return carry, Dense(self.features, use_bias=False, name="output")(y)


def log_rates(key, shape, dtype=jnp.float32):
    """The logarithm of rates spread evenly between 1 and 16."""
    return jnp.log(jax.random.uniform(key, shape, dtype, 1.0, 16.0))


def inverse_softplus_of_steps(key, shape, dtype=jnp.float32):
    """Biases whose softplus lies between 0.001 and 0.1, evenly on a logarithmic scale."""
    step = jnp.exp(jax.random.uniform(key, shape, dtype, jnp.log(0.001), jnp.log(0.1)))
    return step + jnp.log(-jnp.expm1(-step))
