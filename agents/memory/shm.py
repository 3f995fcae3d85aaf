"""SHM: the Stable Hadamard Memory, a matrix whose every entry has its own gate."""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from agents.memory.base import Memory
from agents.memory.chunks import chunked_scan
from agents.memory.dense import Dense
from agents.memory.positions import clock
from agents.memory.scans import recurrent_scan

CHUNK = 32  # time steps between the states that are kept for the gradient


class Matrix(struct.PyTreeNode):
    """state: `[B, S, S]`, values by keys. time: `[B]` steps since the start."""

    state: Float[Array, "B S S"]
    time: Int[Array, " B"]


class SHM(Memory):
    """Stable Hadamard Memory (Le et al. 2025, arXiv 2410.10132).

        M' = M * (1 + tanh(theta[l] c^T)) + eta v k^T       y = M' q

    with * by entry, eta = sigmoid(w . x), c and v linear in x, and k, q = relu(W x) scaled to sum
    1. The row l of `theta` is random at every step, so that the product of many gates neither
    vanishes nor explodes in the mean (proposition 5). Output: W_o (y + W_s x).

    That holds for inputs that are independent from step to step and have mean zero. The gates lie
    between 0 and 2, and nothing else bounds the state: while one input is repeated, the log of an
    entry grows by the mean over rows of log(1 + tanh(theta[l] c)) a step, which is above 0 where
    the mean of a column of `theta` has the sign of c. At the initial weights the outputs reach
    1e6 to 1e12 after 1,000 equal inputs and infinity before 8,192. That is the model as
    published, with no other form in the paper. A start ends it.

    The row is a fixed hash of the number of steps since the start: were it drawn again when a
    rollout is replayed, a policy would differ from itself. (The authors' code draws no rows either:
    it rounds a number below 1 to an integer, so that l is always 0.)

    State: size^2 + 1 numbers. Time: T steps of O(size^2), as the gates have no common factor that
    a chunked form could use; T / C states are kept for the gradient, C = 32.
    """

    size: int = 64
    rows: int = 128
    caution: ClassVar[str] = (
        "its state is bounded only in the mean: on inputs that repeat it can grow without limit"
    )

    @nn.nowrap
    def initial_carry(self, batch_size):
        state = jnp.zeros((batch_size, self.size, self.size))
        return Matrix(state=state, time=jnp.zeros(batch_size, jnp.int32))

    @nn.compact
    def __call__(self, carry, x, start):
        def linear(name, width=self.size):
            return Dense(width, use_bias=False, name=name)(x)

        key, query = sum_to_one(linear("key")), sum_to_one(linear("query"))
        value = jax.nn.sigmoid(linear("strength", 1)) * linear("value")
        table = self.param("theta", nn.initializers.xavier_uniform(), (self.rows, self.size))

        time, steps = clock(carry.time, start)
        theta = table[hashed(steps) % self.rows]
        xs = (theta, linear("gate"), value, key, query)

        def chunk(state, xs, segment):
            start = jnp.diff(segment, axis=0, prepend=0) > 0
            return recurrent_scan(step, jnp.zeros_like(state), state, xs, start)

        if len(start) == 1:
            state, y = chunk(carry.state, xs, start.astype(jnp.int32))
        else:
            state, y = chunked_scan(chunk, carry.state, xs, start, min(CHUNK, len(start)))
        y = y + Dense(self.size, name="shortcut")(x)
        return Matrix(state, time), Dense(self.features, name="output")(y)


def step(state, inputs):
    theta, gate, value, key, query = inputs
    kept = state * (1 + jnp.tanh(theta[..., None] * gate[..., None, :]))
    state = kept + value[..., None] * key[..., None, :]
    return state, (state * query[..., None, :]).sum(axis=-1)


def sum_to_one(x):
    x = jax.nn.relu(x)
    return x / (1e-5 + x.sum(axis=-1, keepdims=True))


def hashed(x: Int[Array, "*n"]) -> Int[Array, "*n"]:
    """A number that looks random, the same for the same x: a 32-bit mixer (Wellons 2018)."""
    x = x.astype(jnp.uint32)
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return ((x ^ (x >> 16)) >> 1).astype(jnp.int32)
