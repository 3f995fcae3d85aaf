"""Transformer: causal attention over a sliding window, with rotary positions."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from agents.memory.base import Memory
from agents.memory.dense import Dense
from agents.memory.positions import PositionCode
from agents.memory.windows import HIDDEN, attend, join_blocks, split_blocks, split_heads, visible


class Cache(struct.PyTreeNode):
    """The newest W steps, the newest last; zeros where nothing was read since the start.

    key: `[B, H, W, D]` turned so that the newest step stands at position 0. value: `[B, H, W, D]`.
    length: `[B]` how many of the slots are filled.
    """

    key: Float[Array, "B H W D"]
    value: Float[Array, "B H W D"]
    length: Int[Array, " B"]


class Transformer(Memory):
    """Causal multi-head attention (Vaswani et al. 2017, arXiv 1706.03762) with rotary positions
    (Su et al. 2021, arXiv 2104.09864) over the newest `window` steps, the present one included
    (Beltagy et al. 2020, arXiv 2004.05150).

        y[t] = W_o concat_h sum_{0 <= a < window} softmax_a(q[t] . R(-a) k[t-a] / sqrt(D)) v[t-a]

    R(p) turns the i-th pair of channels by the angle p / 10000^(2i/D), so that only differences of
    positions count and no clock is kept; with `clock`, x is mixed with the sine code of the steps
    since the start, and what stands at a place, not at a distance, can be looked for. A `Backbone`
    with `feed_forward` makes the pre-norm Transformer of it; this is the attention.

    State: the cache of keys and values, 2 x window x features + 1 numbers, and the clock's one.
    Time: O(T window features) in blocks of `window` queries, O(1) deep, in O(T window heads)
    memory; one step O(window features).
    """

    window: int = 128
    heads: int = 4
    clock: bool = False

    @nn.nowrap
    def initial_carry(self, batch_size):
        cache = self.initial_cache(batch_size)
        return (cache, jnp.zeros(batch_size, jnp.int32)) if self.clock else cache

    @nn.nowrap
    def initial_cache(self, batch_size):
        shape = (batch_size, self.heads, self.window, self.features // self.heads)
        length = jnp.zeros(batch_size, jnp.int32)
        return Cache(key=jnp.zeros(shape), value=jnp.zeros(shape), length=length)

    @nn.compact
    def __call__(self, carry, x, start):
        if self.features % (2 * self.heads):
            raise ValueError(f"features={self.features} is no multiple of 2 x heads={self.heads}")
        if self.clock:
            carry, time = carry
            time, x = PositionCode(name="position")(time, x, start)
        inputs = Dense(3 * self.features, use_bias=False, name="query_key_value")(x)
        query, key, value = (split_heads(z, self.heads) for z in jnp.split(inputs, 3, axis=-1))
        read = one_step if len(start) == 1 else all_steps
        carry, y = read(carry, query, key, value, start)
        if self.clock:
            carry = (carry, time)
        return carry, Dense(self.features, use_bias=False, name="output")(y)


def rotate(x: Float[Array, "*n S D"], positions) -> Float[Array, "*n S D"]:
    """Each pair of channels (i, i + D/2) turned by its own angle per position."""
    half = x.shape[-1] // 2
    angle = jnp.asarray(positions, x.dtype)[..., None] * 10_000.0 ** (-jnp.arange(half) / half)
    real, imaginary = x[..., :half], x[..., half:]
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.concatenate([real * cos - imaginary * sin, real * sin + imaginary * cos], axis=-1)


def score(query: Float[Array, "*n C D"], key: Float[Array, "*n S D"]) -> Float[Array, "*n C S"]:
    return query @ key.mT / key.shape[-1] ** 0.5


def one_step(cache, query, key, value, start):
    """T = 1: the cache moves on by one step; query, key, value: `[1, B, H, D]`."""
    query, key, value = (z[0, :, :, None] for z in (query, key, value))
    fresh, window = start[0], cache.key.shape[2]

    def push(past, now):
        past = jnp.where(fresh[:, None, None, None], 0.0, past[:, :, 1:])
        return jnp.concatenate([past, now], axis=2)

    keys, values = push(rotate(cache.key, [-1]), key), push(cache.value, value)
    length = jnp.minimum(jnp.where(fresh, 0, cache.length) + 1, window)
    seen = jnp.arange(window) >= window - length[:, None, None, None]
    weights = jax.nn.softmax(jnp.where(seen, score(query, keys), HIDDEN), axis=-1)
    y = weights @ values
    return Cache(keys, values, length), y.reshape(1, len(fresh), -1)


def all_steps(cache, query, key, value, start):
    """Block by block, each with the one before it as its past; `[T, B, H, D]` each."""
    length, window = len(start), cache.key.shape[2]
    seen, remembered = visible(start, cache.length, window)
    past_value, value_blocks = split_blocks(cache.value, value)
    past_key, key_blocks = split_blocks(cache.key, key)
    _, query = split_blocks(cache.key, query)

    # Positions count from the block's own first step, so that the angles stay small and exact.
    inside = jnp.arange(query.shape[3])
    before = [rotate(past_key[:1], [-1]), rotate(past_key[1:], jnp.arange(-window, 0))]
    keys = jnp.concatenate([jnp.concatenate(before), rotate(key_blocks, inside)], axis=3)
    scores = score(rotate(query, inside), keys)
    y = attend(scores, seen, past_value, value_blocks)

    def cached(past, new, turned):
        new = jnp.moveaxis(new[max(length - window, 0) :], 0, 2)
        both = [past[:, :, min(length, window) :], new]
        if turned:
            both = [rotate(both[0], [-length]), rotate(new, jnp.arange(1 - new.shape[2], 1))]
        return jnp.where(remembered[:, None, :, None], jnp.concatenate(both, axis=2), 0.0)

    filled = remembered.sum(axis=1, dtype=jnp.int32)
    carry = Cache(cached(cache.key, key, True), cached(cache.value, value, False), filled)
    return carry, join_blocks(y, length)
