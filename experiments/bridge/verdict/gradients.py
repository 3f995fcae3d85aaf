"""Signal-to-noise ratio and direction of an objective's gradient.

All on one fresh batch of the learner's own histories, episode by episode:

    signal to noise       |E g|^2 / tr Cov(g), g the gradient of one episode
    noise scale           its inverse: the episodes at which signal and noise are equal (McCandlish
                          et al. 2018, arXiv 1812.06162)
    cosines               of the batch's gradient with that of the labels of the same steps, and
                          with that of the labels weighted by the probability they already have,
                          which is what a verdict has in expectation
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, Int, Key

from agents.choices import log_probs, sizes_of, take_along_last
from agents.hyperparams import Hyperparams
from agents.language_agent import LanguageAgent
from agents.networks import LanguageModel
from agents.objectives import Objective
from agents.objectives.histories import Batch
from agents.objectives.objective import mean
from experiments.bridge.batched_objectives import make_batch_sampler, stacked_choices
from experiments.bridge.batched_ppo import first_gradient
from popjax.core import Environment
from popjax.players import Player

NAMES = ("signal", "noise", "cos_expected", "cos_quarter", "cos_labels", "cos_ppo")


def gradients(
    agent: LanguageAgent,
    params: Any,
    batch: Batch,
    choice: Int[Array, "T B"],
    weight: Float[Array, "T B"],
) -> Float[Array, "B P"]:
    """The gradient of each episode."""

    def loss(params, episode, choice, weight):
        alone = jax.tree.map(lambda leaf: leaf[:, None], episode)
        pi = log_probs(sizes_of(agent.env), agent.outputs(params, alone).action[:, 0])
        return -jnp.sum(weight * take_along_last(pi, choice))

    def one(episode, choice, weight):
        return ravel_pytree(jax.grad(loss)(params, episode, choice, weight))[0]

    return jax.vmap(one, in_axes=1)(batch, choice, weight)


def cosine(a: Float[Array, " P"], b: Float[Array, " P"]) -> Float[Array, ""]:
    return a @ b / (jnp.linalg.norm(a) * jnp.linalg.norm(b) + 1e-30)


def make_measure(
    env: Environment,
    network: LanguageModel,
    objectives: dict[str, Objective],
    oracle: Player,
    num_episodes: int,
) -> Callable[[Any, Key[Array, ""], Any], dict[str, Float[Array, ""]]]:
    """`(params, key, index) ->` the numbers of `NAMES` for the objective of that index; the key is
    consumed.

    signal, noise: `|E g|^2` corrected for the noise in a squared mean, and tr Cov.
    cos_expected, cos_quarter: of the gradient of all episodes, and of a quarter of them, with the
    weighted labels' gradient. cos_labels: with the labels' gradient. cos_ppo: of the gradient of
    PPO's first epoch on these episodes with the labels' gradient, for any objective.
    """
    agent = LanguageAgent.of(env, network, "obs")
    sample_batch = make_batch_sampler(agent, num_episodes, oracle)

    def measure(params, key, index):
        batch = sample_batch(params, key, 0, 0.0)

        def labels(params, weighted):
            pi = log_probs(sizes_of(env), agent.outputs(params, batch).action)
            right = take_along_last(pi, batch.label)
            weight = jax.lax.stop_gradient(jnp.exp(right)) if weighted else 1.0
            return -mean(weight * right, batch.labelled)

        plain, weighted = (ravel_pytree(jax.grad(labels)(params, w))[0] for w in (False, True))
        choice, weight = (part[index] for part in stacked_choices(agent, objectives, batch))
        ppo = ravel_pytree(first_gradient(params, agent, Hyperparams(), batch))[0]
        own = gradients(agent, params, batch, choice, weight * num_episodes)
        g, noise = own.mean(axis=0), jnp.sum(jnp.var(own, axis=0, ddof=1))
        return {
            "signal": g @ g - noise / num_episodes,
            "noise": noise,
            "cos_expected": cosine(g, weighted),
            "cos_quarter": cosine(own[: num_episodes // 4].mean(axis=0), weighted),
            "cos_labels": cosine(g, plain),
            "cos_ppo": cosine(ppo, plain),
        }

    return measure
