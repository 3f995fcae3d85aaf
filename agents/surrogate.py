"""What a gradient step of PPO descends."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from agents.distributions import distribution, divergence
from agents.hyperparams import Hyperparams
from agents.networks import ActorCritic
from agents.rollout import Transition
from popjax.core import Environment


def standardised(advantage: Float[Array, "T B"]) -> Float[Array, "T B"]:
    """With mean 0 and deviation 1."""
    return (advantage - jnp.mean(advantage)) / (jnp.std(advantage) + 1e-8)


def ppo_loss(
    params: Any,
    env: Environment,
    network: ActorCritic,
    config: Any,
    hyperparams: Hyperparams,
    kl_coefficient: Array,
    carry: Any,
    data: Transition,
    advantage: Float[Array, "T B"],
    target: Float[Array, "T B"],
) -> tuple[Array, dict[str, Array]]:
    """The clipped surrogate with value and entropy terms, replaying `[T, B]` from `carry`.

        -mean min(r A, clip(r, 1 +- clip) A) + value * E - entropy * H + kl_coefficient * KL

    KL is from old to new. r: the ratio of new and old probability. E: the squared error of the
    value, cut at `value_cut`; it is the larger of that of the value and of the value held within
    `value_clip` of its old one (infinite for neither). config: the `PPOConfig`. Returns the
    loss and what to log; `ratio_error` is `max |r - 1|`.
    """
    _, policy, value = network.apply(params, carry, data.x, data.start)
    pi = distribution(env.action_space, policy, network.squash)
    log_ratio = pi.log_prob(data.action) - data.log_prob
    ratio = jnp.exp(log_ratio)
    if config.normalise_advantages == "minibatch":
        advantage = standardised(advantage)
    clipped = jnp.clip(ratio, 1 - hyperparams.clip, 1 + hyperparams.clip)
    surrogate = jnp.mean(jnp.minimum(ratio * advantage, clipped * advantage))
    moved = jnp.clip(value - data.value, -hyperparams.value_clip, hyperparams.value_clip)
    error = jnp.maximum(jnp.square(value - target), jnp.square(data.value + moved - target))
    value_error = jnp.mean(jnp.minimum(error, hyperparams.value_cut))
    entropy = jnp.mean(pi.entropy())
    kl = jnp.mean(divergence(env.action_space, data.policy, policy, network.squash))
    loss = (
        -surrogate
        + hyperparams.value * value_error
        - hyperparams.entropy * entropy
        + kl_coefficient * kl
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
