"""From a network's raw outputs to a distribution over actions. The one file that knows distrax."""

from __future__ import annotations

from typing import Any

import distrax
import jax.numpy as jnp
from jaxtyping import Array, Float

from popjax.spaces import Box, Discrete

LOG_STD_RANGE = (-5.0, 2.0)


def num_outputs(space: Discrete | Box) -> int:
    """Raw outputs a policy needs: all logits side by side, or means and log deviations."""
    return space.flat_size if isinstance(space, Discrete) else 2 * space.flat_size


def distribution(space: Discrete | Box, outputs: Float[Array, "*batch n"]) -> distrax.Distribution:
    """The distribution over `space` with those raw outputs.

    One integer: a categorical. Several: independent categoricals. Reals: a diagonal Gaussian,
    whose samples the environment clips to the box.
    """
    if isinstance(space, Box):
        mean, log_std = jnp.split(outputs, 2, axis=-1)
        return distrax.MultivariateNormalDiag(mean, jnp.exp(jnp.clip(log_std, *LOG_STD_RANGE)))
    if not space.shape:
        return distrax.Categorical(logits=outputs)
    logits, at = [], 0
    for size in space.sizes:
        part = outputs[..., at : at + size]
        padding = [(0, 0)] * (part.ndim - 1) + [(0, max(space.sizes) - size)]
        logits.append(jnp.pad(part, padding, constant_values=-1e9))
        at += size
    return distrax.Independent(
        distrax.Categorical(logits=jnp.stack(logits, axis=-2)), reinterpreted_batch_ndims=1
    )


def divergence(space: Discrete | Box, old: Array, new: Array) -> Float[Array, "*batch"]:
    """KL(old || new) in nats between the distributions with those raw outputs."""
    return distribution(space, old).kl_divergence(distribution(space, new))


def likeliest(space: Discrete | Box, outputs: Array) -> Any:
    """The action of the greedy policy."""
    return distribution(space, outputs).mode()
