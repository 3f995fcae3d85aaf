"""The information in feedback, in nats, if the learner's own distribution is what it believes.

A label carries its surprise, `H(pi)` in expectation (`agents.nats.label_nats`). A choice `a` is
right with probability pi(a), so the verdict on it carries `sum_a pi(a) h(pi(a))`, h the entropy of
a coin. The number of right choices of an episode, given the choices, is a sum of independent coins.
All of it is what a channel can carry, not what a learner makes of it. Expected nats are functions
of pi alone; realised ones are `-ln p` of the feedback received (prequential code length, Dawid
1984).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax.scipy.special import xlog1py, xlogy
from jaxtyping import Array, Bool, Float


def coin(p: Float[Array, "*batch"]) -> Float[Array, "*batch"]:
    """The entropy of a coin."""
    return -xlogy(p, p) - xlog1py(1 - p, -p)


def verdict_nats(log_probs: Float[Array, "*batch K"]) -> Float[Array, "*batch"]:
    """Expected nats of the verdict on a choice drawn from pi.

    >>> round(verdict_nats(jnp.log(jnp.full(4, 0.25))).item(), 3)
    0.562
    """
    p = jnp.exp(log_probs)
    return jnp.sum(p * coin(p), axis=-1)


def realised_verdict_nats(
    p: Float[Array, "*batch"], right: Bool[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """Realised nats of the verdict on a choice that had probability p."""
    return -jnp.where(right, jnp.log(p), jnp.log1p(-p))


def number_right(p: Float[Array, "T B"], counted: Bool[Array, "T B"]) -> Float[Array, "B T+1"]:
    """The distribution of the number of right choices of each episode, from the chance of each."""

    def one_more(law, step):
        p, counted = step
        p = jnp.where(counted, p, 0.0)[:, None]
        shifted = jnp.pad(law[:, :-1], ((0, 0), (1, 0)))
        return law * (1 - p) + shifted * p, None

    T, B = p.shape
    none = jnp.zeros((B, T + 1), p.dtype).at[:, 0].set(1.0)
    return jax.lax.scan(one_more, none, (p, counted))[0]


def sum_nats(p: Float[Array, "T B"], counted: Bool[Array, "T B"]) -> Float[Array, " B"]:
    """Expected nats of the number of right choices of each episode, given the choices.

    >>> round(sum_nats(jnp.full((51, 1), 0.25), jnp.ones((51, 1), bool)).item(), 2)
    2.55
    """
    law = number_right(p, counted)
    return -jnp.sum(xlogy(law, law), axis=-1)


def realised_sum_nats(
    p: Float[Array, "T B"], counted: Bool[Array, "T B"], right: Bool[Array, "T B"]
) -> Float[Array, " B"]:
    """Realised nats of the number of right choices of each episode."""
    count = jnp.sum(right & counted, axis=0)
    law = number_right(p, counted)
    return -jnp.log(jnp.take_along_axis(law, count[:, None], axis=1)[:, 0])
