"""Attention over a sliding window in blocks: work and memory O(T window), not O(T^2).

T steps are cut into N blocks of C steps, C the smaller of T and the window W. A block's queries
see their own block and the W steps before it: the block before, or what the carry holds.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from agents.memory.broken import broken, finite

HIDDEN = -jnp.inf  # the score of what must not be seen: below any other, however low


def split_heads(x: Float[Array, "T B HD"], heads: int) -> Float[Array, "T B H D"]:
    return x.reshape(*x.shape[:-1], heads, -1)


def split_blocks(
    past: Float[Array, "B H W D"], x: Float[Array, "T B H D"]
) -> tuple[Float[Array, "N B H W D"], Float[Array, "N B H C D"]]:
    """For each block the W steps before it, and its own steps; zeros fill up the last block."""
    size = min(len(x), past.shape[2])
    num_blocks = -(-len(x) // size)
    x = jnp.pad(x, [(0, num_blocks * size - len(x))] + [(0, 0)] * (x.ndim - 1))
    blocks = jnp.moveaxis(x.reshape(num_blocks, size, *x.shape[1:]), 1, 3)
    pasts = [past[None]] if num_blocks == 1 else [past[None], blocks[:-1]]
    return jnp.concatenate(pasts), blocks


def join_blocks(y: Float[Array, "N B H C D"], length: int) -> Float[Array, "T B HD"]:
    num_blocks, batch, heads, size, width = y.shape
    y = jnp.moveaxis(y, 3, 1).reshape(num_blocks * size, batch, heads * width)
    return y[:length]


def visible(
    start: Bool[Array, "T B"], length: Int[Array, " B"], window: int
) -> tuple[Bool[Array, "N B 1 C W_C"], Bool[Array, "B W"]]:
    """Which of its W + C keys each query sees, and which of the newest W steps are remembered.

    Seen are the newest W steps, the present one included, as far as they are of its own episode.
    length: how many of the W steps before the first belong to the current episode.
    """
    size = min(len(start), window)
    num_blocks = -(-len(start) // size)
    segment = jnp.cumsum(start, axis=0, dtype=jnp.int32).T
    cached = jnp.where(jnp.arange(window) >= window - length[:, None], 0, -1)
    episode = jnp.concatenate([cached, segment], axis=1)  # [B, W + T]
    remembered = episode[:, -window:] == episode[:, -1:]

    episode = jnp.pad(episode, ((0, 0), (0, num_blocks * size - len(start))), mode="edge")
    past = episode[:, : num_blocks * window].reshape(-1, num_blocks, 1, window)
    own = episode[:, window:].reshape(-1, num_blocks, size)
    same = own[..., None] == jnp.concatenate([past, own[:, :, None]], axis=-1)
    age = window + jnp.arange(size)[:, None] - jnp.arange(window + size)
    return jnp.moveaxis(same & (age >= 0) & (age < window), 1, 0)[:, :, None], remembered


def attend(
    scores: Float[Array, "N B H C W_C"],
    seen: Bool[Array, "N B 1 C W_C"],
    past_value: Float[Array, "N B H W D"],
    value: Float[Array, "N B H C D"],
) -> Float[Array, "N B H C D"]:
    """Softmax over what is seen, and the mean of the values under it.

    Each query sees something. It takes nothing from what it does not see, were it infinite.
    """
    weights = jax.nn.softmax(jnp.where(seen, scores, HIDDEN), axis=-1)
    window = past_value.shape[3]
    lost = [broken(part).any(axis=2) for part in (past_value, value)]  # [N, B, W], [N, B, C]
    lost = jnp.concatenate(lost, axis=-1)[:, :, None, None]
    sees_lost = (seen & lost).any(axis=-1, keepdims=True)
    y = weights[..., :window] @ finite(past_value) + weights[..., window:] @ finite(value)
    return jnp.where(sees_lost, jnp.nan, y)


def newest(
    past: Float[Array, "B W *n"], x: Float[Array, "T B *n"], remembered: Bool[Array, "B W"]
) -> Float[Array, "B W *n"]:
    """The last W of the W steps before and the T steps now; zeros where not remembered."""
    kept = min(len(x), past.shape[1])
    both = jnp.concatenate([past[:, kept:], jnp.moveaxis(x[len(x) - kept :], 0, 1)], axis=1)
    return jnp.where(remembered.reshape(remembered.shape + (1,) * (both.ndim - 2)), both, 0.0)
