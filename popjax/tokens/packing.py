"""Rows of several episodes back to back, as corpora of language models are packed.

The layout is step-aligned: a position is a step, at which the model reads the observation, the
previous action and whether the episode starts, and predicts the token of the answer. Every step of
an episode carries loss, the last one too: its answer is the observation the episode ended in, not
the first one of the next episode in the row.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Int

from popjax.bins import NUM_BINS
from popjax.core import Environment
from popjax.players import Episodes
from popjax.tokens.targets import target_of

PADDING = -1


class Rows(struct.PyTreeNode):
    """`[L, R, ...]`, time first.

    obs, previous_action, start: what is read; the previous action means nothing where `start`.
    action: the one taken. token: `[L, R, m]` of what answered it. loss: whether it is predicted.
    segment_id: which episode of the row, -1 after the last one. pos: the step of its episode.
    episode: which of the episodes that were packed, -1 after the last one.
    reset: where memory begins anew: at every `start`, or with `leak` in the first column alone.
    """

    obs: Array
    previous_action: Array
    start: Bool[Array, "L R"]
    action: Array
    token: Int[Array, "L R m"]
    loss: Bool[Array, "L R"]
    segment_id: Int[Array, "L R"]
    pos: Int[Array, "L R"]
    episode: Int[Array, "L R"]
    reset: Bool[Array, "L R"]


def row_length(env: Environment) -> int:
    """The least length worth packing to: an episode fits, and short ones come in company.

    >>> import popjax
    >>> row_length(popjax.make("MineSweeperEasy")), row_length(popjax.make("RepeatFirstHard"))
    (256, 831)
    """
    return max(env.max_steps, 256)


def places(lengths: Int[np.ndarray, " N"], row: int) -> tuple[Int[np.ndarray, "L R"], ...]:
    """Which episode stands where, `[L, R]`, and which step of it; -1 for padding. In order, each
    episode in the last row if it has room, else in a new one.

    >>> episode, pos = places(np.array([2, 1, 3]), 4)
    >>> episode.T.tolist(), pos.T.tolist()
    ([[0, 0, 1, -1], [2, 2, 2, -1]], [[0, 1, 0, -1], [0, 1, 2, -1]])
    """
    if len(lengths) and max(lengths) > row:
        raise ValueError(f"an episode of {max(lengths)} steps does not fit in a row of {row}")
    rows, left = [], 0
    for n, length in enumerate(lengths):
        if length > left:
            rows.append([])
            left = row
        rows[-1] += [(n, t) for t in range(length)]
        left -= length
    grid = np.full((len(rows), row, 2), PADDING)
    for i, filled in enumerate(rows):
        grid[i, : len(filled)] = filled
    return grid[..., 0].T, grid[..., 1].T


def pack(
    env: Environment,
    episodes: Episodes,
    length: int | None = None,
    leak: bool = False,
    num_bins: int = NUM_BINS,
) -> Rows:
    """Whole episodes in rows of `length` (`row_length`, if not given), outside `jit`.

    leak: memory goes on from episode to episode, as it often does in the training of language
        models; the model still reads where an episode starts.
    """
    row = row_length(env) if length is None else length
    episode, pos = places(np.asarray(episodes.lengths), row)
    here = episode != PADDING
    start = pos == 0
    token = target_of(env, num_bins).tokens(episodes)

    def take(leaf, step):
        return leaf[np.maximum(step, 0), np.maximum(episode, 0)]

    reset = np.zeros_like(start)
    reset[0] = True
    return jax.tree.map(
        jnp.asarray,
        Rows(
            obs=take(episodes.obs, pos),
            previous_action=take(episodes.action, pos - 1),
            start=start,
            action=take(episodes.action, pos),
            token=take(token, pos),
            loss=here,
            segment_id=np.where(here, np.cumsum(start, axis=0) - 1, PADDING),
            pos=pos,
            episode=episode,
            reset=reset if leak else start,
        ),
    )


def unpack(rows: Rows, leaf: Array, num_episodes: int, num_steps: int) -> Array:
    """What stands in `leaf[L, R, ...]` for each step, as `[num_steps, num_episodes, ...]`; 0 where
    an episode has no such step."""
    empty = jnp.zeros((num_steps + 1, num_episodes, *leaf.shape[2:]), leaf.dtype)
    step = jnp.where(rows.loss, rows.pos, num_steps)  # padding goes beyond the end
    return empty.at[step, jnp.maximum(rows.episode, 0)].set(leaf)[:-1]
