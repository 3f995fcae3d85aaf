"""S5: one diagonal state space for all channels."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.memory import hippo
from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.scans import linear_scan


class S5(Memory):
    """Simplified state space layer (Smith et al. 2023, arXiv 2208.04933).

        h' = exp(delta lambda) h + (exp(delta lambda) - 1) / lambda (B x)    y = 2 Re(C h') + D x

    a zero-order hold of the diagonal system dh/dt = lambda h + B x with many inputs and many
    outputs. lambda begins at the eigenvalues of HiPPO-N (`blocks` times a matrix of size
    state / blocks), of which one of each conjugate pair is kept; its real part is -exp(.), so that
    no state can grow. Output: g * sigmoid(W g) with g = gelu(y).

    B and C are stored as real matrices, real and imaginary parts side by side (2 C for C). An
    input of another width is first brought to `features`.

    State: `state` numbers (= features unless given; a multiple of 2 x blocks), half as many complex
    ones. Time: "parallel" O(log T) depth, "recurrent" T steps; both O(T state) work besides the
    projections.
    """

    state: int | None = None
    blocks: int = 4
    delta_min: float = 0.001
    delta_max: float = 0.1
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, (self.state or self.features) // 2), complex)

    @nn.compact
    def __call__(self, carry, x, start):
        size = self.state or self.features
        if size % (2 * self.blocks):
            raise ValueError(f"state={size} is no multiple of 2 x blocks={self.blocks}")
        if x.shape[-1] != self.features:
            x = Dense(self.features, name="input")(x)
        eigenvalues, vectors = hippo.eigen(size // self.blocks)
        eigenvalues = np.tile(eigenvalues, self.blocks)

        rate = self.param("log_rate", lambda _: jnp.log(jnp.float32(-eigenvalues.real)))
        frequency = self.param("frequency", lambda _: jnp.float32(eigenvalues.imag))
        log_delta = self.param("log_delta", self._init_log_delta, (size // 2,))
        skip = self.param("D", nn.initializers.normal(1.0), (self.features,))
        eigenvalue = jax.lax.complex(-jnp.exp(rate), frequency)
        exponent = eigenvalue * jnp.exp(log_delta)

        def init_b(key, shape):
            b = jax.random.normal(key, (shape[0], self.blocks, len(vectors))) / shape[0] ** 0.5
            b = (b @ jnp.complex64(vectors.conj())).reshape(shape[0], -1)
            return jnp.concatenate([b.real, b.imag], axis=1)

        bx = x @ self.param("B", init_b, (self.features, size))
        bx = jax.lax.complex(bx[..., : size // 2], bx[..., size // 2 :])
        bx = jnp.expm1(exponent) / eigenvalue * bx
        h = linear_scan(jnp.exp(exponent), bx, carry, start, mode=self.mode)
        out = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
        h_parts = jnp.concatenate([h.real, h.imag], axis=-1)
        y = h_parts @ self.param("C", out, (size, self.features)) + skip * x
        y = nn.gelu(y)
        return h[-1], y * jax.nn.sigmoid(Dense(self.features, name="output")(y))

    @nn.nowrap
    def _init_log_delta(self, key, shape):
        low, high = jnp.log(self.delta_min), jnp.log(self.delta_max)
        return jax.random.uniform(key, shape, minval=low, maxval=high)
