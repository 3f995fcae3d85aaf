"""Mamba: a state space that chooses by its input what to keep."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import inverse_softplus_of_steps
from agents.memory.selective import selective_scan
from agents.memory.short_conv import kernel_init, newest_inputs, short_convolution


class MambaCarry(struct.PyTreeNode):
    """state: `[B, N, E]`. past: `[B, conv - 1, E]`, the newest inputs of the convolution."""

    state: Float[Array, "B N E"]
    past: Float[Array, "B W_1 E"]


class Mamba(Memory):
    """Selective state space (Gu and Dao 2023, arXiv 2312.00752).

        u = silu(conv(W x))    [r, b, c] = W_s u    delta = softplus(W_d r + bias)
        h'[n] = exp(-delta rate[n]) h[n] + delta u b[n]    y = sum_n c[n] h'[n] + D u

    for each of E = expand x features channels, with `state` rates that begin at 1, 2, ..., r of
    features / 16 numbers, and conv a causal convolution of each channel over `conv` steps.
    Output: W_o (y * silu(W_z x)).

    State: expand x features x (state + conv - 1) numbers. Time: "recurrent" T steps, "parallel" an
    associative scan within each chunk of C = 16 steps, T / C x O(log C) depth; both O(T features
    state) work besides the projections, and both keep O(T / C) states for the gradient.
    """

    state: int = 16
    expand: int = 2
    conv: int = 4
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        width = self.expand * self.features
        return MambaCarry(
            state=jnp.zeros((batch_size, self.state, width)),
            past=jnp.zeros((batch_size, self.conv - 1, width)),
        )

    @nn.compact
    def __call__(self, carry, x, start):
        width = self.expand * self.features
        rank = -(-self.features // 16)
        x, gate = jnp.split(Dense(2 * width, use_bias=False, name="input")(x), 2, axis=-1)
        kernel = self.param("conv", kernel_init, (self.conv, width))
        segment = jnp.cumsum(start, axis=0, dtype=jnp.int32)
        past = newest_inputs(carry.past, x, segment)
        x = short_convolution(kernel, carry.past, x, segment)
        x = jax.nn.silu(x + self.param("conv_bias", nn.initializers.zeros, (width,)))

        chosen = Dense(rank + 2 * self.state, use_bias=False, name="select")(x)
        delta, b, c = jnp.split(chosen, (rank, rank + self.state), axis=-1)
        delta = Dense(width, bias_init=inverse_softplus_of_steps, name="delta")(delta)
        rate = jnp.exp(self.param("log_rate", log_integers, (self.state, width)))
        delta = jax.nn.softplus(delta)
        state, y = selective_scan(rate, delta, x, b, c, carry.state, start, self.mode)
        y = y + self.param("D", nn.initializers.ones, (width,)) * x
        y = Dense(self.features, use_bias=False, name="output")(y * jax.nn.silu(gate))
        return MambaCarry(state=state, past=past), y


def log_integers(key, shape, dtype=jnp.float32):
    """log 1, log 2, ... down the rows, the same in every column (S4D-real)."""
    return jnp.broadcast_to(jnp.log(jnp.arange(1, shape[0] + 1, dtype=dtype))[:, None], shape)
