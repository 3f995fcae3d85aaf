"""Gated DeltaNet: the delta rule with forgetting."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.delta_net import DeltaNet
from agents.memory.dense import Dense
from agents.memory.initialisers import inverse_softplus_of_steps, log_rates


class GatedDeltaNet(DeltaNet):
    """Gated DeltaNet (Yang et al. 2024, arXiv 2412.06464).

        S' = a S + beta k (v - a S^T k)^T       y = S'^T q

    as DeltaNet, with a decay for each head and step, a = exp(-exp(A) softplus(w . x + b)), begun
    like Mamba-2's (arXiv 2405.21060): memories of 1 to 1,000 steps side by side.
    Output: W_o (norm(y) * silu(W_g x)), the norm by head.

    State: features (K + (2 expand_k + 1) (conv - 1)) numbers. Time: "parallel" T / C steps of
    matrix products in chunks of C = 32, O(T features (C + K)) work; "recurrent" T steps,
    O(T features K). Both keep O(T / C) states for the gradient. "auto" is parallel for T > 1.
    """

    @nn.compact
    def __call__(self, carry, x, start):
        beta = jax.nn.sigmoid(Dense(self.heads, name="beta")(x))
        rate = jnp.exp(self.param("log_rate", log_rates, (self.heads,)))
        step = Dense(self.heads, name="step", bias_init=inverse_softplus_of_steps)(x)
        carry, y = self.fast_weights()(carry, x, beta, -rate * jax.nn.softplus(step), start)
        y = y * jax.nn.silu(Dense(self.features, use_bias=False, name="gate")(x))
        return carry, Dense(self.features, use_bias=False, name="output")(y)
