"""What tokens cost, in nats, where a token has one component or several side by side."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


def token_log_probs(
    sizes: tuple[int, ...], logits: Float[Array, "... sizes"], token: Int[Array, "... m"]
) -> tuple[Float[Array, "..."], Bool[Array, "..."]]:
    """The log-probability of a token, summed over its components, and whether each component was
    the likeliest."""
    total, correct = 0.0, True
    for i, part in enumerate(components(sizes, logits)):
        chosen = jnp.take_along_axis(jax.nn.log_softmax(part), token[..., i : i + 1], axis=-1)
        total, correct = total + chosen[..., 0], correct & (jnp.argmax(part, -1) == token[..., i])
    return total, correct


def expected_nats(sizes: tuple[int, ...], logits: Float[Array, "... sizes"]) -> Float[Array, "..."]:
    """How surprising the token will be to the model itself: the entropy of each component, given
    those before it, summed."""
    return sum(label_nats(jax.nn.log_softmax(part)) for part in components(sizes, logits))


def label_nats(log_probs: Float[Array, "*batch K"]) -> Float[Array, "*batch"]:
    """Expected nats of a label.

    >>> round(label_nats(jnp.log(jnp.full(4, 0.25))).item(), 3)
    1.386
    """
    return -jnp.sum(jnp.exp(log_probs) * log_probs, axis=-1)


def components(sizes: tuple[int, ...], logits: Float[Array, "... sizes"]) -> list[Array]:
    """The logits of each component."""
    return jnp.split(logits, np.cumsum(sizes)[:-1], axis=-1)
