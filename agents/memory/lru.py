"""LRU: the linear recurrent unit."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.scans import linear_scan


class LRU(Memory):
    """Linear recurrent unit (Orvieto et al. 2023, arXiv 2303.06349).

        h' = lambda h + gamma (B x)     y = Re(C h') + D x     lambda = exp(-exp(nu) + i exp(theta))

    with complex h, B, C, and gamma beginning at sqrt(1 - |lambda|^2). Eigenvalues begin uniformly
    on the ring between the radii `r_min` and `r_max`. Output: a gated linear unit of gelu(y).

    B and C are stored as real matrices, real and imaginary parts side by side. An input of another
    width is first brought to `features`.

    State: 2 x `state` numbers (`state` = features unless given). Time: "parallel" O(log T) depth,
    "recurrent" T steps; both O(T state) work besides the projections.
    """

    state: int | None = None
    r_min: float = 0.9
    r_max: float = 0.999
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.state or self.features), complex)

    @nn.compact
    def __call__(self, carry, x, start):
        size = self.state or self.features
        if x.shape[-1] != self.features:
            x = Dense(self.features, name="input")(x)
        nu = self.param("nu", self._init_nu, (size,))
        theta = self.param("theta", log_phases, (size,))
        decay = jnp.exp(jax.lax.complex(-jnp.exp(nu), jnp.exp(theta)))
        gamma = self.param("log_gamma", lambda _: 0.5 * jnp.log(-jnp.expm1(-2 * jnp.exp(nu))))
        skip = self.param("D", nn.initializers.normal(1.0), (self.features,))

        into = nn.initializers.variance_scaling(0.5, "fan_in", "normal")
        bx = Dense(2 * size, use_bias=False, kernel_init=into, name="B")(x)
        bx = bx * jnp.tile(jnp.exp(gamma), 2)
        bx = jax.lax.complex(bx[..., :size], bx[..., size:])
        h = linear_scan(decay, bx, carry, start, mode=self.mode)
        out = nn.initializers.variance_scaling(2.0, "fan_in", "normal")
        h_parts = jnp.concatenate([h.real, h.imag], axis=-1)
        y = Dense(self.features, use_bias=False, kernel_init=out, name="C")(h_parts) + skip * x
        value, gate = jnp.split(Dense(2 * self.features, name="output")(nn.gelu(y)), 2, axis=-1)
        return h[-1], value * jax.nn.sigmoid(gate)

    @nn.nowrap
    def _init_nu(self, key, shape):
        """log(-log |lambda|) with |lambda|^2 uniform, so that lambda is uniform on the ring."""
        square = jax.random.uniform(key, shape, minval=self.r_min**2, maxval=self.r_max**2)
        return jnp.log(-0.5 * jnp.log(square))


def log_phases(key, shape):
    """The logarithm of angles uniform between 0 and 2 pi."""
    return jnp.log(jax.random.uniform(key, shape, minval=1e-4, maxval=2 * jnp.pi))
