"""LMU: a network beside a memory that holds a window of its past as Legendre polynomials."""

from __future__ import annotations

from functools import lru_cache

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import scipy  # its parts load when they are used
from jaxtyping import Float

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.matmul_scan import matmul_scan


def cell(theta, carry, gates):
    h = jnp.tanh(gates["hidden"] + gates["encoded"] * theta["from_encoded"])
    m = gates["memory"] + gates["encoded"] * theta["b"]
    return (h, m), h


class LMU(Memory):
    """Legendre memory unit (Voelker, Kajic and Eliasmith 2019, NeurIPS 32).

        u = e_x . x + e_h . h + e_m . m
        m' = A m + B u                          h' = tanh(W_x x + W_h h + W_m m' + b)

    A and B are fixed: `order` coefficients of shifted Legendre polynomials that describe u over the
    last `window` steps, by zero-order hold. Output: h'.

    State: `features` + `order` numbers (`order` = features unless given), h and m. Time: O(T)
    steps of three products `[B, F] x [F, F]`: W_m m' is computed as (W_m A) m + (W_m B) u.
    """

    order: int | None = None
    window: float = 64.0

    @nn.nowrap
    def initial_carry(self, batch_size):
        order = self.order or self.features
        return jnp.zeros((batch_size, self.features)), jnp.zeros((batch_size, order))

    @nn.compact
    def __call__(self, carry, x, start):
        width, order = self.features, self.order or self.features
        a, b = (jnp.asarray(matrix, x.dtype) for matrix in legendre(order, self.window))
        uniform, normal = nn.initializers.lecun_uniform(), nn.initializers.xavier_normal()
        encode_h = self.param("encode_h", uniform, (width, 1))
        encode_m = self.param("encode_m", nn.initializers.zeros, (order, 1))
        from_h = self.param("from_h", normal, (width, width))
        from_m = self.param("from_m", normal, (order, width))
        inputs = {
            "encoded": Dense(1, use_bias=False, kernel_init=uniform, name="encode_x")(x),
            "hidden": Dense(width, kernel_init=normal, name="from_x")(x),
        }
        weights = {
            "encoded": (encode_h, encode_m),
            "hidden": (from_h, a.T @ from_m),
            "memory": (None, a.T),
        }
        theta = {"b": b, "from_encoded": b @ from_m}
        return matmul_scan(cell, weights, theta, carry, inputs, start)


@lru_cache
def legendre(
    order: int, window: float
) -> tuple[Float[np.ndarray, "order order"], Float[np.ndarray, " order"]]:
    """A and B of the Legendre delay network, held over steps of length 1.

        window a[i, j] = (2i + 1) (-1 if i < j else (-1)^(i - j + 1))
        window b[i] = (2i + 1) (-1)^i

    so that u(t - r window) is about sum_i m[i] P_i(2r - 1), P_i the Legendre polynomials.
    """
    i, j = np.mgrid[:order, :order]
    system = np.zeros((order + 1, order + 1))
    system[:order, :order] = np.where(i < j, -1.0, (-1.0) ** (i - j + 1))
    system[:order, order] = (-1.0) ** np.arange(order)
    system[:order] *= (2 * np.arange(order)[:, None] + 1) / window
    held = scipy.linalg.expm(system)
    return held[:order, :order], held[:order, order]
