"""How well a language model predicts: fresh episodes, beside the floor on the very same ones."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, inputs_of, logits_along
from agents.nats import token_log_probs
from agents.networks import LanguageModel
from popjax.core import Environment
from popjax.families import family_of
from popjax.floors import code_lengths, floor_of
from popjax.players import Episodes, play
from popjax.tokens.corpora import in_parts, players_of


def held_out(
    env: Environment,
    network: LanguageModel,
    params: Any,
    key: Key[Array, ""],
    config: LMConfig,
    num_episodes: int = 256,
) -> dict[str, np.ndarray]:
    """Of each of `num_episodes` new episodes: `nats` under the model; `floor`, nats under the exact
    law, or where there is none under a predictor that bounds the floor from above (`floor_kind`);
    `tokens`, and how many were the likeliest, `correct`. The key is consumed; called outside
    `jit`."""
    with_states = family_of(env).floor_needs_states  # whose bound looks at the whole maze
    played = partial(play, env, keep_states=with_states)
    episodes = in_parts(players_of(env, config.player), key, num_episodes, played)
    agent = LanguageAgent.of(env, network, inputs_of(env, config))
    sums = _sums(agent, params, episodes)
    return {
        "nats": np.asarray(sums["nats"], np.float64),
        "floor": code_lengths(env, episodes),
        "tokens": np.asarray(episodes.lengths, np.int64),
        "correct": np.asarray(sums["correct"], np.int64),
    }


def floor_kind(env: Environment) -> str:
    """What `floor` is: "exact", or "at most": an upper bound of the floor, below which a model can
    go, so that its excess may be negative."""
    return "at most" if floor_of(env).BOUND else "exact"


@partial(jax.jit, static_argnames="agent")
def _sums(agent: LanguageAgent, params: Any, episodes: Episodes) -> dict[str, Array]:
    logits, token = logits_along(params, agent, episodes)
    log_prob, correct = token_log_probs(agent.network.sizes, logits, token)
    return {
        "nats": jnp.sum(jnp.where(episodes.valid, -log_prob, 0.0), axis=0),
        "correct": jnp.sum(correct & episodes.valid, axis=0),
    }


def per_token(sums: dict[str, np.ndarray]) -> dict[str, float]:
    """Nats a token under the model, the floor (or its upper bound), their difference with its
    standard error over episodes, and the share of tokens that were the likeliest."""
    tokens = sums["tokens"]
    over = sums["nats"] - sums["floor"]
    excess = over.sum() / tokens.sum()
    error = np.std(over - excess * tokens, ddof=1) / tokens.mean() / np.sqrt(len(tokens))
    return {
        "nats": sums["nats"].sum() / tokens.sum(),
        "floor": sums["floor"].sum() / tokens.sum(),
        "excess": excess,
        "excess_error": error,
        "accuracy": sums["correct"].sum() / tokens.sum(),
    }
