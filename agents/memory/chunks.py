"""Linear attention in chunks: matrix-valued states without holding one for every time step.

Inside a chunk the outputs are matrix products of the chunk's queries, keys and values; only from
chunk to chunk is the state itself carried. For gradients the states at the chunks' borders are
kept and all else is computed again, so memory grows with T, never with T times the state.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from agents.memory.broken import broken, finite, from_then_on

Tree = Any

CHUNK = 64  # time steps
BLOCK = 8  # time steps whose decay by channel is factored into a query's and a key's part
SMALLEST_LOG_DECAY = -15.0  # so that the factors over half a block stay below exp(60)


def chunked_scan(
    step: Callable[[Tree, Tree, Int[Array, "C B"]], tuple[Tree, Tree]],
    carry: Tree,
    xs: Tree,
    start: Bool[Array, "T B"],
    chunk_size: int = CHUNK,
) -> tuple[Tree, Tree]:
    """`carry, ys = step(carry, xs, segment)` for each chunk; leaves of xs are `[C, B, ...]`.

    `segment[i, b]` counts the starts in the chunk up to and with step i: two steps belong to the
    same episode where it is equal, and the carry to those where it is 0. The last chunk is filled
    up with zeros in `xs` and no start; such steps must leave the carry alone. Gradients keep the
    carry at the chunks' borders alone.
    """
    length = start.shape[0]
    num_chunks = -(-length // chunk_size)

    def split(leaf):
        fill = [(0, num_chunks * chunk_size - length)] + [(0, 0)] * (leaf.ndim - 1)
        return jnp.pad(leaf, fill).reshape(num_chunks, chunk_size, *leaf.shape[1:])

    def one_chunk(carry, inputs):
        xs, start = inputs
        return step(carry, xs, jnp.cumsum(start, axis=0, dtype=jnp.int32))

    one_chunk = jax.checkpoint(one_chunk, prevent_cse=False)
    carry, ys = jax.lax.scan(one_chunk, carry, jax.tree.map(split, (xs, start)))
    return carry, jax.tree.map(lambda y: y.reshape(-1, *y.shape[2:])[:length], ys)


def linear_attention(
    query: Float[Array, "T B H K"],
    key: Float[Array, "T B H K"],
    value: Float[Array, "T B H V"],
    log_decay: Float[Array, "T B H #K"] | None,
    carry: Float[Array, "B H K V"],
    start: Bool[Array, "T B"],
    mode: str = "auto",
    chunk_size: int = CHUNK,
) -> tuple[Float[Array, "B H K V"], Float[Array, "T B H V"]]:
    """`S[t] = exp(log_decay[t]) S[t-1] + key[t] value[t]^T`, `y[t] = S[t]^T query[t]`, per head.

    log_decay: at most 0; one number a head (last axis 1), one a key channel (last axis K), or
    None for no decay. Values below -15 count as -15, in every mode. The state is zero before
    `start`, whatever it held, and nothing is read of the decay there.

    mode: "parallel" in chunks, O(T (C (K + V) + K V)) work in T / C steps (Yang et al. 2024,
    arXiv 2312.06635); "recurrent" one step after the other, O(T K V); "auto" is recurrent for
    T = 1 and parallel otherwise. Both hold O(T / C) states for the gradient.
    """
    if log_decay is None:
        log_decay = jnp.zeros((*key.shape[:-1], 1), key.dtype)
    log_decay = jnp.maximum(log_decay, SMALLEST_LOG_DECAY)
    xs = (query, key, value, log_decay)
    if start.shape[0] == 1:
        (carry, y) = _step(carry, (*jax.tree.map(lambda leaf: leaf[0], xs), start[0]))
        return carry, y[None]
    if mode == "recurrent":
        return chunked_scan(_recurrent_chunk, carry, xs, start, chunk_size)
    chunk_size = min(chunk_size, -(-start.shape[0] // BLOCK) * BLOCK)
    return chunked_scan(_parallel_chunk, carry, xs, start, chunk_size)


def _step(state, inputs):
    query, key, value, log_decay, fresh = inputs
    state = jnp.where(fresh[:, None, None, None], 0.0, jnp.exp(log_decay)[..., None] * state)
    state = state + key[..., None] * value[..., None, :]
    return state, jnp.einsum("bhk,bhkv->bhv", query, state)


def _recurrent_chunk(state, xs, segment):
    start = jnp.diff(segment, axis=0, prepend=0) > 0
    return jax.lax.scan(_step, state, (*xs, start))


def _parallel_chunk(state, xs, segment):
    query, key, value, log_decay = (jnp.moveaxis(x, 0, 2) for x in xs)  # [B, H, C, ...]
    segment = segment.T[:, None]  # [B, 1, C]
    fresh = jnp.diff(segment, axis=-1, prepend=0) > 0
    log_decay = jnp.where(fresh[..., None], 0.0, log_decay)
    lost = from_then_on(broken(key, value, log_decay), broken(state).any(axis=-1), segment)
    unread = lost | broken(query)
    query, key, value, log_decay, state = map(finite, (query, key, value, log_decay, state))

    log_decay = segment_sums(log_decay, fresh[..., None])
    # To the end of the chunk; above 0 only from another segment than the last.
    log_decay_left = jnp.minimum(log_decay[:, :, -1:] - log_decay, 0.0)
    of_carry = (segment == 0)[..., None]
    of_last = segment == segment[..., -1:]

    from_carry = jnp.where(of_carry, (query * jnp.exp(log_decay)) @ state, 0.0)
    scores = _scores_by_head if log_decay.shape[-1] == 1 else _scores_by_channel
    same = segment[..., :, None] == segment[..., None, :]
    seen = same & jnp.tril(jnp.ones(same.shape[-2:], bool))
    y = from_carry + jnp.where(seen, scores(query, key, log_decay, segment), 0.0) @ value

    kept = jnp.where(of_last[..., None], key * jnp.exp(log_decay_left), 0.0)
    whole_decay = jnp.exp(log_decay[:, :, -1])[..., None]
    state = jnp.where(of_carry[:, :, -1:], whole_decay * state, 0.0) + kept.mT @ value
    state = jnp.where(lost[:, :, -1:, None], jnp.nan, state)
    return state, jnp.moveaxis(jnp.where(unread[..., None], jnp.nan, y), 2, 0)


def segment_sums(
    x: Float[Array, "B H C K"], fresh: Bool[Array, "B 1 C 1"]
) -> Float[Array, "B H C K"]:
    """Sums over a chunk's steps that begin again where `fresh`: the differences within a short
    segment keep their digits, whatever was added up before it.

    >>> x, fresh = jnp.array([1e9, 1.0, 2.0]), jnp.array([False, True, False])
    >>> segment_sums(x[None, None, :, None], fresh[None, None, :, None]).ravel().tolist()
    [1000000000.0, 1.0, 3.0]
    """

    def add(left, right):
        (x, fresh), (y, fresh_too) = left, right
        return jnp.where(fresh_too, y, x + y), fresh | fresh_too

    return jax.lax.associative_scan(add, (x, fresh), axis=2)[0]


def _scores_by_head(query, key, log_decay, segment):
    """`query[i] . key[j] exp(log_decay[i] - log_decay[j])` for j <= i of the same segment, finite
    elsewhere."""
    return (query @ key.mT) * jnp.exp(jnp.minimum(log_decay - log_decay.mT, 0.0))


def _scores_by_channel(query, key, log_decay, segment):
    """As `_scores_by_head` with the decay inside the product, one a channel.

    exp(a - b) is factored as exp(a - m) exp(m - b) with m from the middle of the query's block,
    so that earlier blocks' factors are at most 1 and those within the block are bounded. Where
    the segment is another one than in the middle, m is from the block's first step or, if it began
    after that, 0; it is then so short in the block that the same bounds hold.
    """
    *heads, size, channels = query.shape
    blocks = (*heads, size // BLOCK, BLOCK, channels)
    by_block = log_decay.reshape(blocks)
    of_block = segment.reshape(*segment.shape[:-1], -1, BLOCK, 1)  # [B, 1, C / BLOCK, BLOCK, 1]
    first, middle = slice(0, 1), slice(BLOCK // 2 - 1, BLOCK // 2)

    def origin(segment):
        """m for steps of those segments, in each block."""
        m = jnp.where(segment == of_block[..., first, :], by_block[..., first, :], 0.0)
        return jnp.where(segment == of_block[..., middle, :], by_block[..., middle, :], m)

    grown = -SMALLEST_LOG_DECAY * (BLOCK // 2)
    query = query.reshape(blocks) * jnp.exp(by_block - origin(of_block))
    exponent = origin(segment[..., None, :, None]) - log_decay[..., None, :, :]
    weight = jnp.exp(jnp.minimum(exponent, grown))
    keys = key[..., None, :, :] * weight  # for each block of queries [..., C / BLOCK, C, K]
    scores = query @ keys.mT
    return scores.reshape(*heads, size, size)
