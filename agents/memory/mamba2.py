"""Mamba-2: a selective state space in its dual form, attention with decay."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from agents.memory.base import Memory
from agents.memory.chunks import linear_attention
from agents.memory.dense import Dense
from agents.memory.initialisers import inverse_softplus_of_steps, log_rates
from agents.memory.short_conv import kernel_init, newest_inputs, short_convolution


class Mamba2Carry(struct.PyTreeNode):
    """state: `[B, H, N, P]`. past: `[B, conv - 1, E + 2 N]`, the inputs of the convolution."""

    state: Float[Array, "B H N P"]
    past: Float[Array, "B W_1 E_2N"]


class Mamba2(Memory):
    """Mamba-2, structured state space duality (Dao and Gu 2024, arXiv 2405.21060).

        [x, b, c] = silu(conv(W x))     delta = softplus(w . x + bias)
        S' = exp(-delta rate) S + delta b x^T     y = S'^T c + D x

    for each of `heads` heads of width P = expand x features / heads, which share b and c of `state`
    numbers; conv is a causal convolution of each channel over `conv` steps.
    Output: W_o norm(y * silu(W_z x)).

    State: expand x features x state + (conv - 1) (expand x features + 2 state) numbers. Time:
    "parallel" T / C steps of products in chunks of C = 64, O(T heads (C (state + P) + state P))
    work; "recurrent" T steps, O(T features state). Both keep O(T / C) states for the gradient.
    """

    heads: int = 8
    state: int = 32
    expand: int = 2
    conv: int = 4
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        width = self.expand * self.features
        return Mamba2Carry(
            state=jnp.zeros((batch_size, self.heads, self.state, width // self.heads)),
            past=jnp.zeros((batch_size, self.conv - 1, width + 2 * self.state)),
        )

    @nn.compact
    def __call__(self, carry, x, start):
        width = self.expand * self.features
        if width % self.heads:
            raise ValueError(f"expand x features={width} is no multiple of heads={self.heads}")
        cuts = (width, 2 * width + 2 * self.state)
        projected = Dense(cuts[1] + self.heads, use_bias=False, name="input")(x)
        gate, mixed, step = jnp.split(projected, cuts, axis=-1)

        kernel = self.param("conv", kernel_init, (self.conv, mixed.shape[-1]))
        bias = self.param("conv_bias", nn.initializers.zeros, kernel.shape[1:])
        rate = jnp.exp(self.param("log_rate", log_rates, (self.heads,)))
        step_bias = self.param("step_bias", inverse_softplus_of_steps, (self.heads,))
        step = jax.nn.softplus(step + step_bias)[..., None]
        skip = self.param("D", nn.initializers.ones, (self.heads,))

        segment = jnp.cumsum(start, axis=0, dtype=jnp.int32)
        past = newest_inputs(carry.past, mixed, segment)
        z = jax.nn.silu(short_convolution(kernel, carry.past, mixed, segment) + bias)
        value, key, query = jnp.split(z, (width, width + self.state), axis=-1)
        value = value.reshape(*x.shape[:-1], self.heads, -1)  # [T, B, H, P]
        shared = (*value.shape[:-1], self.state)
        key, query = (jnp.broadcast_to(part[..., None, :], shared) for part in (key, query))
        state, y = linear_attention(
            query, key, step * value, -rate[:, None] * step, carry.state, start, self.mode
        )
        y = (y + skip[:, None] * value).reshape(gate.shape)
        y = nn.RMSNorm(name="norm")(y * jax.nn.silu(gate))
        y = Dense(self.features, use_bias=False, name="output")(y)
        return Mamba2Carry(state=state, past=past), y
