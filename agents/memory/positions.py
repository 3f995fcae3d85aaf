"""The sine position code of some of the paper's models, and the clock it needs."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


def clock(
    time: Int[Array, " B"], start: Bool[Array, "T B"]
) -> tuple[Int[Array, " B"], Int[Array, "T B"]]:
    """Steps since the start, before each step is read; `time` is that before the first.

    >>> after, position = clock(jnp.array([7]), jnp.array([[False], [True], [False]]))
    >>> position[:, 0].tolist(), after.tolist()
    ([7, 0, 1], [2])
    """
    step = jnp.arange(start.shape[0], dtype=time.dtype)[:, None]
    begin = jax.lax.cummax(jnp.where(start, step, -1), axis=0)
    position = jnp.where(begin < 0, time + step, step - begin)
    return position[-1] + 1, position


def sines(position: Int[Array, "*n"], width: int) -> Float[Array, "*n width"]:
    """Sines, then cosines, of wavelengths from 2 pi to 10,000 x 2 pi (Vaswani et al. 2017,
    arXiv 1706.03762)."""
    half = (width + 1) // 2
    angle = position[..., None] * 10_000.0 ** (-jnp.arange(half) / half)
    return jnp.concatenate([jnp.sin(angle), jnp.cos(angle)], axis=-1)[..., :width]


class PositionCode(nn.Module):
    """`(1 - s) x + s e` with the sine code e and one learned share s, 1/2 at first (POPGym).

    Models that are published with the code have a field `position_code`: False where the network
    around them has put it in already.
    """

    @nn.compact
    def __call__(
        self, time: Int[Array, " B"], x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Int[Array, " B"], Float[Array, "T B d"]]:
        share = jax.nn.sigmoid(self.param("share", nn.initializers.zeros, ()))
        time, position = clock(time, start)
        return time, (1 - share) * x + share * sines(position, x.shape[-1]).astype(x.dtype)
