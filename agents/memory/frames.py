"""The last few frames, as arrays over time."""

from __future__ import annotations

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


def last_frames(
    past: Float[Array, "B n d"], x: Float[Array, "T B d"], start: Bool[Array, "T B"]
) -> tuple[Float[Array, "B n d"], list[Float[Array, "T B d"]]]:
    """`frames[i][t] = x[t - i]` for i = 0 to n, zero where that is before the start.

    past: the n frames before x[0], the oldest first; returned as it is after x[T - 1].
    """
    count = past.shape[1]
    length = start.shape[0]
    x = jnp.concatenate([jnp.moveaxis(past, 1, 0), x])
    episode = jnp.pad(jnp.cumsum(start, axis=0, dtype=jnp.int32), [(count, 0), (0, 0)])

    def same_as(later, begin, end):
        """The frames from begin to end, zero where their episode ended before `later`."""
        return jnp.where((episode[begin:end] == later)[..., None], x[begin:end], 0)

    frames = [same_as(episode[count:], count - i, count - i + length) for i in range(count + 1)]
    past = same_as(episode[-1], length, length + count)
    return jnp.moveaxis(past, 0, 1), frames
