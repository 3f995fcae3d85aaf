"""A short causal convolution of each channel by itself, with resets."""

from __future__ import annotations

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from agents.memory.windows import newest

# Each channel sums W inputs; the axis of channels is a batch axis.
kernel_init = nn.initializers.variance_scaling(
    1 / 3, "fan_in", "uniform", in_axis=0, out_axis=(), batch_axis=1
)


def short_convolution(
    kernel: Float[Array, "W F"],
    past: Float[Array, "B W_1 F"],
    x: Float[Array, "T B F"],
    segment: Int[Array, "T B"],
) -> Float[Array, "T B F"]:
    """`y[t] = sum_a kernel[a] x[t - a]` over the ages a < W within the episode of step t.

    past: the W - 1 inputs before the first, the newest last; zeros where there were none.
    segment: the number of starts up to and with each step. In chunks it is twice as fast on a CPU
    as over a long sequence, whose inputs leave the cache between the W reads.
    """
    width, length = len(kernel), len(x)
    inputs = jnp.concatenate([jnp.moveaxis(past, 1, 0), x])
    episode = jnp.concatenate([jnp.zeros((width - 1, x.shape[1]), jnp.int32), segment])[..., None]
    y = kernel[0] * x
    for age in range(1, width):
        then = slice(width - 1 - age, width - 1 - age + length)
        y = y + jnp.where(episode[then] == segment[..., None], kernel[age] * inputs[then], 0.0)
    return y


def newest_inputs(
    past: Float[Array, "B W_1 F"], x: Float[Array, "T B F"], segment: Int[Array, "T B"]
) -> Float[Array, "B W_1 F"]:
    """The `past` of the step after the last of `x`."""
    before = jnp.zeros((past.shape[1], x.shape[1]), jnp.int32)
    episode = jnp.concatenate([before, segment])[len(x) :]
    return newest(past, x, (episode == segment[-1]).T)
