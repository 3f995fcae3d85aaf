"""S4D: a diagonal state space for each channel."""

from __future__ import annotations

import math

import flax.linen as nn
import jax
import jax.numpy as jnp

from agents.memory.base import Memory
from agents.memory.chunks import chunked_scan
from agents.memory.dense import Dense
from agents.memory.scans import linear_scan, where_start

LOOP_CHUNK = 16  # time steps whose states are held at once
PARALLEL_CHUNK = 64


class S4D(Memory):
    """Diagonal state spaces, S4D-Lin (Gu et al. 2022, arXiv 2206.11893).

        h' = exp(dt A) h + (exp(dt A) - 1) / A x      y = 2 Re(C . h') + D x

    for each channel its own dt, C and A of N/2 complex numbers: zero-order hold, half of N
    conjugate pairs, B = 1. A begins as -1/2 + i pi n, dt log-uniform between `dt_min` and `dt_max`.
    Output: a gated linear unit of gelu(y). An input of another width is first brought to
    `features`.

    The carry is h' over its factor (exp(dt A) - 1) / A, which C absorbs.

    State: `features` x `state` numbers, as complex pairs (`state` = N = 16 in POPGym, 16 times the
    others). Time: O(T features state) work; "recurrent" T steps, "parallel" T / 64 steps of
    O(log 64) depth. Both hold the states of one chunk and the chunks' borders, never all T.
    """

    state: int = 16
    dt_min: float = 0.001
    dt_max: float = 0.1
    mode: str = "auto"

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.state // 2, self.features), complex)

    @nn.compact
    def __call__(self, carry, x, start):
        if x.shape[-1] != self.features:
            x = Dense(self.features, name="input")(x)
        pairs = (self.state // 2, self.features)
        log_dt = self.param("log_dt", self._init_log_dt, (self.features,))
        half = nn.initializers.constant(math.log(0.5))
        a_real = -jnp.exp(self.param("log_minus_a_real", half, pairs))
        a = jax.lax.complex(a_real, self.param("a_imag", frequencies, pairs))
        c = [self.param(name, nn.initializers.normal(0.5**0.5), pairs) for name in ("c_re", "c_im")]
        skip = self.param("D", nn.initializers.normal(1.0), (self.features,))

        decay = jnp.exp(jnp.exp(log_dt) * a)
        read = 2 * jax.lax.complex(*c) * (decay - 1) / a
        carry, y = diagonal_scan(decay, read, carry, x, start, self.mode)
        y = nn.gelu(y + skip * x)
        value = Dense(self.features, name="value")(y)
        return carry, value * jax.nn.sigmoid(Dense(self.features, name="gate")(y))

    @nn.nowrap
    def _init_log_dt(self, key, shape):
        return jax.random.uniform(
            key, shape, minval=math.log(self.dt_min), maxval=math.log(self.dt_max)
        )


def frequencies(key, shape):
    """pi n for the n-th pair of each channel."""
    return jnp.broadcast_to(jnp.pi * jnp.arange(shape[0])[:, None], shape)


def diagonal_scan(decay, read, carry, x, start, mode):
    """`h' = decay h + x`, `y = Re sum_n read h'`; decay, read `[N, F]`, carry `[B, N, F]`."""
    if mode == "auto":
        mode = "recurrent" if jax.default_backend() == "cpu" else "parallel"

    def by_step(h, inputs):
        x, start = inputs
        h = decay * where_start(start, jnp.zeros_like(h), h) + x[:, None]
        return h, (read * h).real.sum(axis=1)

    def one_chunk(h, x, segment):
        start = jnp.diff(segment, axis=0, prepend=0) > 0
        if mode == "recurrent":
            return jax.lax.scan(by_step, h, (x, start))
        hs = linear_scan(decay, x[:, :, None], h, start, mode)
        return hs[-1], (read * hs).real.sum(axis=2)

    chunk_size = LOOP_CHUNK if mode == "recurrent" else PARALLEL_CHUNK
    whole = len(x) - len(x) % chunk_size  # the state decays: no filling up with zeros
    ys = []
    if whole:
        carry, y = chunked_scan(one_chunk, carry, x[:whole], start[:whole], chunk_size)
        ys.append(y)
    if len(x) - whole == 1:
        carry, y = by_step(carry, (x[-1], start[-1]))
        ys.append(y[None])
    elif len(x) > whole:
        carry, y = one_chunk(carry, x[whole:], jnp.cumsum(start[whole:], axis=0))
        ys.append(y)
    return carry, jnp.concatenate(ys)
