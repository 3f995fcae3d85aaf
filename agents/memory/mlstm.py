"""mLSTM: the LSTM whose cell is a matrix, written to by keys and read by queries."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from agents.memory.base import Memory
from agents.memory.chunks import linear_attention
from agents.memory.dense import Dense
from agents.memory.scans import recurrent_scan
from agents.memory.windows import split_heads

LARGEST = 60.0  # exp of it leaves room in float32 for a product


class Cell(struct.PyTreeNode):
    """state: `[B, H, D, D + 1]`, C and n side by side, both times exp(-m). m: `[B, H]`."""

    state: Float[Array, "B H D D_1"]
    m: Float[Array, "B H"]


class MLSTM(Memory):
    """The mLSTM of xLSTM (Beck et al. 2024, arXiv 2405.04517).

        C' = f C + i k v^T     n' = f n + i k     h = C'^T q / max(|n' . q|, 1)

    for each head, with f = sigmoid(w_f . x + b_f), i = exp(w_i . x + b_i), and k divided by the
    root of its size. Output: W_o (sigmoid(W_g x) * norm(h)), the norm by head.

    The exponential gate is kept in range as in the paper's equation 15: C and n are held times
    exp(-m) with m' = max(log f + m, log i), whatever m, h is the same. That makes it linear
    attention with the decay f exp(m - m') <= 1 and keys times i exp(-m') <= 1. Left out of the
    paper's block: the convolution before q and k, the doubled width, and the mean in the norm.

    State: features (D + 1) + heads (1 + D) numbers, D = features / heads. Time: "parallel" in
    chunks of C = 64, O(T features (C + D)) work; "recurrent" T steps, O(T features D). Both keep
    O(T / C) states for the gradient. "auto" is parallel for T > 1.
    """

    heads: int = 4
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        width = self.features // self.heads
        state = jnp.zeros((batch_size, self.heads, width, width + 1))
        return Cell(state=state, m=jnp.zeros((batch_size, self.heads)))

    @nn.compact
    def __call__(self, carry, x, start):
        if self.features % self.heads:
            raise ValueError(f"features={self.features} is no multiple of heads={self.heads}")
        inputs = Dense(3 * self.features, use_bias=False, name="query_key_value")(x)
        query, key, value = (split_heads(z, self.heads) for z in jnp.split(inputs, 3, axis=-1))
        small = nn.initializers.variance_scaling(0.01, "fan_in", "normal")
        gates = Dense(2 * self.heads, kernel_init=small, bias_init=gate_biases, name="gates")(x)
        log_input, log_forget = jnp.split(gates, 2, axis=-1)
        gates = (log_input, jax.nn.log_sigmoid(log_forget))

        carry, h = attend(query, key, value, gates, carry, start, self.mode)
        h = split_heads(h, self.heads)
        h = nn.RMSNorm(reduction_axes=-1, feature_axes=(-2, -1), name="norm")(h)
        gate = jax.nn.sigmoid(Dense(self.features, name="output_gate")(x))
        y = gate * h.reshape(gate.shape)
        y = Dense(self.features, use_bias=False, name="output")(y)
        return carry, y


def attend(query, key, value, gates, carry, start, mode):
    """The recurrence for all heads: the new carry and h, `[T, B, features]`."""
    log_input, log_forget = gates
    m, before = stabilise(carry.m, log_input, log_forget, start)
    key = key / key.shape[-1] ** 0.5 * jnp.exp(log_input - m)[..., None]
    value = jnp.concatenate([value, jnp.ones_like(value[..., :1])], axis=-1)
    log_decay = (log_forget + before - m)[..., None]
    state, y = linear_attention(query, key, value, log_decay, carry.state, start, mode)
    # max(|n . q|, 1) with n times exp(-m); the cap matters only where h vanishes anyway
    least = jnp.exp(jnp.minimum(-m, LARGEST))[..., None]
    h = y[..., :-1] / jnp.maximum(jnp.abs(y[..., -1:]), least)
    return Cell(state, m[-1]), h.reshape(*h.shape[:2], -1)


def stabilise(
    m: Float[Array, "B H"],
    log_input: Float[Array, "T B H"],
    log_forget: Float[Array, "T B H"],
    start: Bool[Array, "T B"],
) -> tuple[Float[Array, "T B H"], Float[Array, "T B H"]]:
    """`m[t] = max(log_forget[t] + m[t-1], log_input[t])`, and `m[t-1]`, which is 0 at a start.

    Without a gradient: what the output is divided by has no influence on it.
    """

    def step(m, gates):
        log_input, log_forget = gates
        new = jnp.maximum(log_forget + m, log_input)
        return new, (new, m)

    m, gates = jax.lax.stop_gradient((m, (log_input, log_forget)))
    return recurrent_scan(step, jnp.zeros_like(m), m, gates, start, unroll=4)[1]


def gate_biases(key, shape, dtype=jnp.float32):
    """0 for the input gates; 3 to 6 for the forget gates, memories of 20 to 400 steps."""
    heads = shape[0] // 2
    return jnp.concatenate([jnp.zeros(heads, dtype), jnp.linspace(3.0, 6.0, heads, dtype=dtype)])
