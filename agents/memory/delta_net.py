"""DeltaNet: fast weights that are corrected, not only added to."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float

from agents.memory.base import Memory
from agents.memory.chunks import SMALLEST_LOG_DECAY, chunked_scan
from agents.memory.delta_rule import delta_chunk, delta_steps
from agents.memory.dense import Dense
from agents.memory.short_conv import kernel_init, newest_inputs, short_convolution
from agents.memory.windows import split_heads

CHUNK = 32  # time steps; the system of equations costs O(C^2) a step


class FastWeights(struct.PyTreeNode):
    """state: `[B, H, K, V]` from keys to values.
    past: `[B, conv - 1, H (2 K + V)]` the newest inputs of the convolution, the newest last."""

    state: Float[Array, "B H K V"]
    past: Float[Array, "B W_1 H2KV"]


class DeltaNet(Memory):
    """DeltaNet (Schlag et al. 2021, arXiv 2102.11174; Yang et al. 2024, arXiv 2406.06484).

        S' = S + beta k (v - S^T k)^T       y = S'^T q

    for each of `heads` matrices S `[K, V]`, with V = features / heads and K = expand_k V.
    beta = sigmoid(w . x); q, k, v = silu(conv(W x)), conv a causal convolution of each channel over
    `conv` steps; q and k are scaled to length 1. Output: W_o norm(y), the norm by head.

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
        carry, y = self.fast_weights()(carry, x, beta, jnp.zeros_like(beta), start)
        return carry, Dense(self.features, use_bias=False, name="output")(y)

    def fast_weights(self) -> FastWeightLayer:
        """The layer that writes and reads, also Gated DeltaNet's."""
        shape = sizes(self.features, self.heads, self.expand_k)
        return FastWeightLayer(shape, self.conv, self.mode, name="memory")


def sizes(features: int, heads: int, expand_k: float) -> tuple[int, int, int]:
    """Heads, and keys and values a head."""
    values, rest = divmod(features, heads)
    keys = int(expand_k * values)
    if rest or not keys:
        raise ValueError(f"features={features} cannot be shared by heads={heads}")
    return heads, keys, values


def empty(batch_size: int, sizes: tuple[int, int, int], conv: int) -> FastWeights:
    heads, keys, values = sizes
    return FastWeights(
        state=jnp.zeros((batch_size, heads, keys, values)),
        past=jnp.zeros((batch_size, conv - 1, heads * (2 * keys + values))),
    )


class FastWeightLayer(nn.Module):
    """Projections, the convolution, the delta rule and the norm, given beta and the decay.

    All that lies between two projections is done chunk by chunk, and again for the gradient.
    Values of `log_decay` below -15 count as -15.
    """

    sizes: tuple[int, int, int]
    conv: int
    mode: str

    @nn.compact
    def __call__(
        self,
        carry: FastWeights,
        x: Float[Array, "T B d"],
        beta: Float[Array, "T B H"],
        log_decay: Float[Array, "T B H"],
        start: Bool[Array, "T B"],
    ) -> tuple[FastWeights, Float[Array, "T B HV"]]:
        heads, keys, values = self.sizes
        width = heads * (2 * keys + values)
        inputs = Dense(width, use_bias=False, name="query_key_value")(x)
        kernel = self.param("conv_kernel", kernel_init, (self.conv, width))
        scale = self.param("norm_scale", nn.initializers.ones, (values,))
        log_decay = jnp.maximum(log_decay, SMALLEST_LOG_DECAY)  # a sum of them keeps its digits
        recurrent = self.mode == "recurrent" or len(start) == 1
        rule = delta_steps if recurrent else delta_chunk

        def chunk(carry, xs, segment):
            inputs, beta, log_decay = xs
            z = jax.nn.silu(short_convolution(kernel, carry.past, inputs, segment))
            z = jnp.split(z, (heads * keys, 2 * heads * keys), axis=-1)
            query, key, value = (split_heads(u, heads) for u in z)
            xs = (unit(query), unit(key), value, beta[..., None], log_decay[..., None])
            state, y = rule(carry.state, xs, segment)
            y = y * jax.lax.rsqrt(jnp.mean(y**2, axis=-1, keepdims=True) + 1e-6) * scale
            past = newest_inputs(carry.past, inputs, segment)
            return FastWeights(state, past), y.reshape(*y.shape[:-2], -1)

        xs, segment = (inputs, beta, log_decay), jnp.cumsum(start, axis=0, dtype=jnp.int32)
        if len(start) == 1:
            return chunk(carry, xs, segment)

        after, y = chunked_scan(chunk, carry, xs, start, min(CHUNK, len(start)))
        # The scan's own may have read the filling of the last chunk.
        return after.replace(past=newest_inputs(carry.past, inputs, segment)), y


def unit(x: Float[Array, "*n D"]) -> Float[Array, "*n D"]:
    """Scaled to length 1; zero stays zero, and its gradient finite."""
    return x * jax.lax.rsqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-6)
