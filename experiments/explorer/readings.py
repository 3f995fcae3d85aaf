"""What can be read off a network's state: a softmax regression from its features to a belief.

Two readings for the card games that actions do not change: what an optimal agent needs (the right
answer), and what an optimal predictor needs (the law of the next card). Each is fitted on episodes
of the agent's own play, for both networks on the same episodes, and judged on others.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from agents.lm import episode_inputs
from agents.positions import answerable
from experiments.bridge.measures import probes
from experiments.bridge.measures.retention import features_along
from experiments.explorer.pairs import Pair, agent_player
from experiments.explorer.record import (
    action_numbers,
    reference_along,
    thousandths,
)
from popjax.floors import log_probs_along, make_law
from popjax.players import Episodes, play
from popjax.tokens import target_of
from popjax.tokens.words import words_of

EPISODES, ITERATIONS = 512, 240
RIDGE = 0.5  # on the sum of squared weights, beside the sum of the losses


def readings(pair: Pair, episodes: Episodes, key: jax.Array) -> list[dict[str, Any]]:
    """Both readings along the first of `episodes`, with what each costs on new ones; none where
    tokens depend on actions. The key is consumed."""
    env = pair.agent.env
    if target_of(env).needs_action:
        return []
    key_play, key_reference, key_here = jax.random.split(key, 3)
    many = play(env, agent_player(pair.agent), key_play, EPISODES, keep_states=True)
    sources = {"agent": pair.agent, "language_model": pair.language_model}
    features = {name: _features(costume, many) for name, costume in sources.items()}
    features["present"] = _present(env, many)
    here = {name: _features(costume, episodes) for name, costume in sources.items()}
    found = []
    for about, truth, words in (
        ("the right answer, which acting needs", _right, words_of(env).actions()),
        ("the law of what comes next, which predicting needs", _law, words_of(env).tokens()),
    ):
        target, where = truth(env, many, key_reference)
        half = EPISODES // 2
        fitted = {
            name: fit(x[:, :half][where[:, :half]], target[:, :half][where[:, :half]])
            for name, x in features.items()
        }
        held_out = where.copy()
        held_out[:, :half] = False
        now, can = truth(env, episodes, key_here)
        read = {name: thousandths(predict(fitted[name], x[:, 0])) for name, x in here.items()}
        nats = {
            name: cross_entropy(fitted[name], x[held_out], target[held_out])
            for name, x in features.items()
        }
        nats["truth"] = abs(float(np.mean(np.sum(_x_log_x(target[held_out]), axis=-1))))
        rows = thousandths(now[:, 0])
        found.append(
            {
                "about": about,
                "words": words,
                "truth": [row if yes else None for row, yes in zip(rows, can[:, 0], strict=True)],
                "nats": {name: round(value, 4) for name, value in nats.items()},
                **read,
            }
        )
    return found


def _right(env, episodes, key):
    """The reference player's action as a certainty, where an answer can be right."""
    action = reference_along(env, episodes, key)
    T = len(episodes.reward)
    can = jax.vmap(lambda obs, t: jax.vmap(lambda o: answerable(env, o, t))(obs))
    where = np.asarray(can(episodes.obs, jnp.arange(T)) & episodes.valid)
    return np.eye(len(words_of(env).actions()))[action_numbers(env, action)], where


def _law(env, episodes, key):
    """The exact law of the next token."""
    law = log_probs_along(make_law(env), episodes.replace(state=None, next_state=None))[0]
    return np.exp(np.asarray(law, np.float64)), np.asarray(episodes.valid)


def _features(costume, episodes):
    x, start = episode_inputs(costume.env, episodes, costume.inputs)
    along = jax.jit(partial(features_along, costume.network))
    return np.asarray(along(costume.params, x, start))


def _present(env, episodes):
    """What is known without memory: the present observation, the clock, and both together."""
    seen = np.asarray(env.observation_space.flatten(episodes.obs))
    clock = np.linspace(-1, 1, len(seen))[:, None, None]
    both = [seen, seen * clock, seen * clock**2, np.broadcast_to(clock, (*seen.shape[:2], 1))]
    return np.concatenate([*both, both[-1] ** 2], axis=-1)


def fit(x: Float[np.ndarray, "N F"], target: Float[np.ndarray, "N K"]) -> Any:
    """The regression with the least cross-entropy, on features of mean 0 and deviation 1: the
    probe of `experiments.bridge.measures.probes` that knows nothing without the state."""
    mean, deviation = x.mean(0), x.std(0) + 1e-3
    z = jnp.asarray((x - mean) / deviation, jnp.float32)
    weights = np.asarray(_minimised(z, jnp.asarray(target, jnp.float32)))
    return mean, deviation, weights[:-1], weights[-1]


@jax.jit
def _minimised(z: Float[Array, "N F"], target: Float[Array, "N K"]) -> Float[Array, "F1 K"]:
    rows, parts = jnp.ones(len(z)), jnp.eye(target.shape[1])
    nothing, penalty = jnp.zeros(target.shape), 2 * RIDGE / len(z)
    begin = probes.blank(z, parts)
    return probes.fit(z, target, nothing, parts, rows, penalty, begin, ITERATIONS)[0]


def predict(probe: Any, x: Float[np.ndarray, "N F"]) -> Float[np.ndarray, "N K"]:
    """Probabilities."""
    mean, deviation, weights, bias = probe
    return np.asarray(jax.nn.softmax((x - mean) / deviation @ weights + bias, axis=-1))


def cross_entropy(probe: Any, x: np.ndarray, target: np.ndarray) -> float:
    """Nats a position."""
    return float(-np.mean(np.sum(target * np.log(predict(probe, x) + 1e-12), axis=-1)))


def _x_log_x(p: np.ndarray) -> np.ndarray:
    return np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)
