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
    `start`, whatever it held.

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
    log_decay = jnp.cumsum(log_decay, axis=2)  # since the chunk began
    log_decay_left = log_decay[:, :, -1:] - log_decay  # to the end of the chunk
    of_carry = (segment == 0)[..., None]
    of_last = segment == segment[..., -1:]

    from_carry = jnp.where(of_carry, (query * jnp.exp(log_decay)) @ state, 0.0)
    scores = _scores_by_head if log_decay.shape[-1] == 1 else _scores_by_channel
    same = segment[..., :, None] == segment[..., None, :]
    seen = same & jnp.tril(jnp.ones(same.shape[-2:], bool))
    y = from_carry + jnp.where(seen, scores(query, key, log_decay), 0.0) @ value

    kept = jnp.where(of_last[..., None], key * jnp.exp(log_decay_left), 0.0)
    whole_decay = jnp.exp(log_decay[:, :, -1])[..., None]
    state = jnp.where(of_carry[:, :, -1:], whole_decay * state, 0.0) + kept.mT @ value
    return state, jnp.moveaxis(y, 2, 0)


def _scores_by_head(query, key, log_decay):
    """`query[i] . key[j] exp(log_decay[i] - log_decay[j])` for j <= i, finite elsewhere."""
    return (query @ key.mT) * jnp.exp(jnp.minimum(log_decay - log_decay.mT, 0.0))


def _scores_by_channel(query, key, log_decay):
    """As `_scores_by_head` with the decay inside the product, one a channel.

    exp(a - b) is factored as exp(a - m) exp(m - b) with m from the middle of the query's block,
    so that earlier blocks' factors are at most 1 and those within the block are bounded.
    """
    *heads, size, channels = query.shape
    blocks = (*heads, size // BLOCK, BLOCK, channels)
    middle = log_decay.reshape(blocks)[..., BLOCK // 2 - 1 : BLOCK // 2, :]
    query = query.reshape(blocks) * jnp.exp(log_decay.reshape(blocks) - middle)
    grown = -SMALLEST_LOG_DECAY * (BLOCK // 2)
    weight = jnp.exp(jnp.minimum(middle - log_decay[..., None, :, :], grown))
    keys = key[..., None, :, :] * weight  # for each block of queries [..., C / BLOCK, C, K]
    scores = query @ keys.mT
    return scores.reshape(*heads, size, size)
