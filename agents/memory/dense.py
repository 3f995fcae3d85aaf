"""A dense layer whose gradient is fast for sequences."""

from __future__ import annotations

import flax.linen as nn
from jaxtyping import Array, Float


class Dense(nn.Dense):
    """`flax.linen.Dense` over rows, the leading axes taken as one.

    The same function and parameters. But the gradient of `[T, B, d] @ [d, F]` contracts two axes,
    for which XLA first copies both sides transposed on a CPU; over rows it is a plain product,
    and forward and backward together take two thirds of the time (T = 1,024, B = 16, d = F = 256).
    """

    def __call__(self, x: Float[Array, "*n d"]) -> Float[Array, "*n F"]:
        y = super().__call__(x.reshape(-1, x.shape[-1]))
        return y.reshape(*x.shape[:-1], self.features)
