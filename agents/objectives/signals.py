"""What the learner's own choices earn: from verdicts and rewards to the signal of each position,
and the baseline it is compared with."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from agents.objectives.histories import Batch


class Terms(NamedTuple):
    """The numbers in the definitions. num_choices: how many choices there are. gamma: the discount.
    beta: the price of the divergence from the frozen model. epsilon: how much of the smoothed
    oracle is uniform. group: episodes that share a deck or a board. divide_std, divide_length: of
    GRPO's advantage."""

    num_choices: int
    gamma: Any = 1.0
    beta: Any = 0.0
    epsilon: float = 0.01
    group: int = 1
    divide_std: bool = False
    divide_length: bool = False


def to_go(reward: Float[Array, "T B"], gamma: Any = 1.0) -> Float[Array, "T B"]:
    """`[T, B]` the discounted sum of this reward and all after it."""
    if isinstance(gamma, float) and gamma == 1.0:
        return jnp.cumsum(reward[::-1], axis=0)[::-1]
    T = len(reward)
    ahead = jnp.arange(T)[None, :] - jnp.arange(T)[:, None]
    discount = jnp.where(ahead >= 0, jnp.power(gamma, jnp.maximum(ahead, 0)), 0.0)
    return discount.astype(reward.dtype) @ reward


def sum_to_end(reward: Float[Array, "T B"], valid: Bool[Array, "T B"]) -> Float[Array, "T B"]:
    """Nothing is paid until the last step of an episode, and there the sum of all.

    >>> sum_to_end(jnp.array([[1.0], [2.0], [0.0]]), jnp.array([[1], [1], [0]]) > 0).T.tolist()
    [[0.0, 3.0, 0.0]]
    """
    last = valid & ~jnp.concatenate([valid[1:], jnp.zeros_like(valid[:1])])
    return jnp.where(last, jnp.sum(reward, axis=0), 0.0)


def verdict(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """1 where the choice is the oracle's action, else 0; and nothing later counts."""
    return (batch.sampled == batch.label).astype(batch.log_prob.dtype)


def guessed(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """1 where the choice is the next token, else 0."""
    return (batch.sampled == batch.token[..., 0]).astype(batch.log_prob.dtype)


def guessed_in_all(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """The right guesses of the whole episode, given at its end."""
    right = jnp.where(batch.valid, guessed(batch, terms), 0.0)
    return to_go(sum_to_end(right, batch.valid))


def surprise_of_right(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """1 / pi where the choice is the oracle's action, else 0: with the score function it has the
    gradient of cross-entropy in expectation."""
    return jnp.where(batch.sampled == batch.label, jnp.exp(-batch.log_prob), 0.0)


def log_likelihood(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """`ln q(a)` for `q(a) = (1 - epsilon) [a = label] + epsilon / K`: a deterministic oracle
    must be smoothed, or a wrong choice costs infinitely much."""
    wrong = terms.epsilon / terms.num_choices
    right = 1 - terms.epsilon + wrong
    likelihood = jnp.where(batch.sampled == batch.label, right, wrong)
    return jnp.log(likelihood).astype(batch.log_prob.dtype)


def rewards(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """The environment's rewards from here on."""
    return to_go(batch.reward, terms.gamma)


def rewards_in_all(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """The environment's rewards, summed and paid at the end; gamma is 1, or the two objectives
    would differ."""
    return to_go(sum_to_end(batch.reward, batch.valid))


def rewards_near_reference(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """Rewards less `beta (ln pi - ln pi_ref)` from here on: what is left of the KL divergence from
    the frozen model."""
    distance = jnp.where(batch.valid, batch.log_prob - batch.reference, 0.0)
    return to_go(batch.reward - terms.beta * distance, terms.gamma)


def over_others(signal: Float[Array, "T B"], where: Bool[Array, "T B"]) -> Float[Array, " B"]:
    """`[B]` the mean signal of the other episodes: a constant baseline that, unlike the mean of
    all, does not depend on the episode it is for, and so leaves the gradient unbiased."""
    total = jnp.sum(jnp.where(where, signal, 0.0), axis=0)
    count = jnp.sum(where, axis=0)
    return (jnp.sum(total) - total) / jnp.maximum(jnp.sum(count) - count, 1)


def over_group(
    signal: Float[Array, "T B"], where: Bool[Array, "T B"], group: int
) -> Float[Array, "T B"]:
    """`[T, B]` the mean signal, at the same step, of the other episodes of each one's group: like
    `over_others`, it does not depend on the episode it is for. 0 where no other is left."""
    T, B = signal.shape
    inside = where.reshape(T, B // group, group)
    parts = jnp.where(inside, signal.reshape(inside.shape), 0.0)
    total = jnp.sum(parts, axis=-1, keepdims=True) - parts
    count = jnp.sum(inside, axis=-1, keepdims=True) - inside
    return (total / jnp.maximum(count, 1)).reshape(T, B)


def of_group_returns(batch: Batch, terms: Terms) -> Float[Array, "T B"]:
    """GRPO's advantage: the return less the mean return of the group (Shao et al. 2024, arXiv
    2402.03300), without the divisions by deviation and length that bias it (Liu et al. 2025,
    arXiv 2503.20783) unless they are requested. The mean is that of the *other* episodes of the
    group: with the own one in it, a group of G scales every gradient by 1 - 1/G."""
    returns = jnp.sum(batch.reward, axis=0)
    parts = returns.reshape(-1, terms.group)
    others = jnp.sum(parts, axis=1, keepdims=True) - parts
    advantage = parts - others / max(terms.group - 1, 1)
    if terms.divide_std:
        advantage /= jnp.std(parts, axis=1, keepdims=True) + 1e-8
    advantage = advantage.reshape(-1)
    if terms.divide_length:
        lengths = jnp.sum(batch.valid, axis=0)
        advantage *= jnp.mean(lengths) / lengths
    return jnp.broadcast_to(advantage, batch.reward.shape)
