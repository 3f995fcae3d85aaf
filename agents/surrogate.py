"""What a gradient step of PPO descends."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from agents.agent import Agent
from agents.distributions import divergence
from agents.hyperparams import Hyperparams
from agents.rollout import Transition


class Batch(struct.PyTreeNode):
    """A rollout with what is to be learned from it. carry: the memory at its first step, `[B]`;
    all else is `[T, B]`."""

    carry: Any
    data: Transition
    advantage: Float[Array, "T B"]
    target: Float[Array, "T B"]

    def columns(self, which: Int[Array, " b"]) -> Batch:
        """The sequences with these numbers."""
        rows = jax.tree.map(lambda a: a[:, which], (self.data, self.advantage, self.target))
        return Batch(jax.tree.map(lambda a: a[which], self.carry), *rows)


def standardised(advantage: Float[Array, "T B"]) -> Float[Array, "T B"]:
    """With mean 0 and deviation 1."""
    return (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)


def ppo_loss(
    params: Any, agent: Agent, hyperparams: Hyperparams, batch: Batch
) -> tuple[Array, dict[str, Array]]:
    """The clipped surrogate with value and entropy terms, replaying the rollout.

        -mean min(r A, clip(r, 1 +- clip) A) + value * E - entropy * H + kl * KL

    KL is from old to new. r: the ratio of new and old probability. E: the squared error of the
    value, cut at `value_cut`; it is the larger of that of the value and of the value held within
    `value_clip` of its old one (infinite for neither). Returns the loss and what to log;
    `ratio_error` is `max |r - 1|`.
    """
    data, advantage, target = batch.data, batch.advantage, batch.target
    _, policy, value = agent.unroll(params, batch.carry, data.x, data.start)
    pi = agent.distribution(policy)
    log_ratio = pi.log_prob(data.action) - data.log_prob
    ratio = jnp.exp(log_ratio)
    clipped = jnp.clip(ratio, 1 - hyperparams.clip, 1 + hyperparams.clip)
    surrogate = jnp.mean(jnp.minimum(ratio * advantage, clipped * advantage))
    moved = jnp.clip(value - data.value, -hyperparams.value_clip, hyperparams.value_clip)
    error = jnp.maximum(jnp.square(value - target), jnp.square(data.value + moved - target))
    value_error = jnp.mean(jnp.minimum(error, hyperparams.value_cut))
    entropy = jnp.mean(pi.entropy())
    kl = jnp.mean(divergence(agent.action_space, data.policy, policy, agent.squash))
    loss = (
        -surrogate
        + hyperparams.value * value_error
        - hyperparams.entropy * entropy
        + hyperparams.kl * kl
    )
    return loss, {
        "loss": loss,
        "surrogate": surrogate,
        "value_error": value_error,
        "entropy": entropy,
        "kl": kl,
        "ratio_error": jnp.max(jnp.abs(ratio - 1)),
        "clipped": jnp.mean(jnp.abs(ratio - 1) > hyperparams.clip),
    }
