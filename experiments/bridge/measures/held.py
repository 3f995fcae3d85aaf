"""What a state holds of a statistic, and how robustly: three complementary measures.

    probe through noise   nats that a linear probe reads from states plus noise of 0, 0.1 and 0.3
                          of a unit's standard deviation
    variance share        the share of a state's variance that the statistic explains
    network               nats that a network of one hidden layer reads: an upper bound

Without noise a linear probe finds a statistic down to a ten-millionth of the variance, so "held"
means little. What is decoded through noise stands out from the rest of the state. (Similarity
follows variance: Hermann and Lampinen 2020, arXiv 2006.12433; Lampinen et al. 2025, 2507.22216.)
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Float, Int

from experiments.bridge.measures.interventions import ridge, through
from experiments.bridge.measures.probes import STEPS as LINEAR
from experiments.bridge.measures.probes import (
    Question,
    blank,
    fit,
    noisy,
    parts_of_rows,
    probe,
    row_nats,
    whitened,
)
from experiments.bridge.measures.similarity import residual

NOISES = (0.0, 0.1, 0.3)
HIDDEN, STEPS, EVERY = 64, 300, 10


def variance_share(
    states: Float[np.ndarray, "L n d"], question: Question, token: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " L"]:
    """The share of each state's variance that the statistic explains beyond the current token:
    least squares on its parts, fitted on one half of the rows and evaluated on the other.

    >>> z = np.random.default_rng(0).integers(4, size=4000)
    >>> other = np.random.default_rng(1).normal(size=(4000, 1)) * np.sqrt(0.75)  # as z varies
    >>> x = np.concatenate([np.eye(4)[z], other], axis=1)
    >>> from experiments.bridge.measures.probes import ask
    >>> variance_share(x[None], ask(z, 4), np.zeros(4000, int)).round(1).tolist()
    [0.5]
    """
    half = len(token) // 2
    words = residual(question.target @ question.parts, token)
    shares = []
    for x in states:
        left = residual(x, token)
        guess = through(ridge(words[:half], left[:half]), words[half:])
        missed = np.sum((left[half:] - guess) ** 2)
        whole = np.sum((x[half:] - x[half:].mean(axis=0)) ** 2)
        shares.append((np.sum(left[half:] ** 2) - missed) / whole)
    return np.array(shares)


def network_reading(
    states: Float[np.ndarray, "L n d"],
    question: Question,
    noise: float = 0.0,
    test_share: float = 1 / 3,
    seed: int = 0,
) -> Float[np.ndarray, " L"]:
    """Nats over the prior that a network with one hidden layer of 64 decodes on held-out rows: an
    upper bound for a probe.

    It starts from the linear probe of the same rows and stops early on a quarter of the remaining
    rows, so up to chance it decodes no less than the probe.

    >>> from experiments.bridge.measures.probes import ask
    >>> bits = np.random.default_rng(0).integers(2, size=(900, 2))
    >>> question = ask(bits[:, 0] ^ bits[:, 1], 2)  # which no linear probe reads
    >>> bool(network_reading(bits[None].astype(float), question)[0] > 0.6)  # of ln 2 = 0.693
    True
    """
    chosen = probe(states, question, test_share=test_share, seed=seed, noise=noise).penalty
    part = parts_of_rows(len(question.target), None, 4, test_share, seed)
    x = whitened(noisy(states, noise, seed), part >= 0)
    masks = np.stack([part > 0, part == 0, part < 0])
    nats = _learned(
        *(jnp.asarray(a, jnp.float32) for a in (x, chosen, *question, masks)),
        jax.random.key(seed),
    )
    return float(question.known[part < 0].mean()) - np.asarray(nats, np.float64)


@jax.jit
def _learned(x, penalties, target, prior, parts, masks, key):
    """For each state, the held-out nats at the step with the least validation loss."""
    optimiser = optax.adamw(optax.cosine_decay_schedule(3e-3, STEPS), weight_decay=1e-2)
    first = {
        "in": jax.random.normal(key, (x.shape[-1], HIDDEN)) / jnp.sqrt(x.shape[-1]),
        "bias": jnp.zeros(HIDDEN),
        "out": jnp.zeros((HIDDEN, parts.shape[1])),
    }

    def one(state):
        x, penalty = state
        linear = fit(x, target, prior, parts, masks[0], penalty, blank(x, parts), 3 * LINEAR)[1]

        def nats(params):
            hidden = jax.nn.gelu(x @ params["in"] + params["bias"])
            return row_nats(target, linear + hidden @ params["out"] @ parts.T)

        def loss(params):
            return jnp.sum(masks[0] * nats(params)) / jnp.sum(masks[0])

        def step(learner, _):
            params, opt_state = learner
            updates, opt_state = optimiser.update(jax.grad(loss)(params), opt_state, params)
            return (optax.apply_updates(params, updates), opt_state), None

        def some(learner, _):
            rows = nats(learner[0])
            found = jnp.sum(masks[1:] * rows, axis=1) / jnp.sum(masks[1:], axis=1)
            return jax.lax.scan(step, learner, length=EVERY)[0], found

        begin = first, optimiser.init(first)
        deciding, left_out = jax.lax.scan(some, begin, length=STEPS // EVERY)[1].T
        return left_out[jnp.argmin(deciding)]

    return jax.lax.map(one, (x, penalties))


def gaussian_channel(
    values: int, power: float, noise: float, draws: int = 20_000, seed: int = 0
) -> float:
    """Nats that a one-hot code of equally likely values transmits through Gaussian noise, by its
    exact posterior: the most that any probe can decode of a planted statistic.

    power: total variance of the code over its units. noise: variance of each unit's noise.

    >>> round(gaussian_channel(4, 1.0, 1e-6), 3), round(gaussian_channel(4, 1.0, 1e3), 2)
    (1.386, 0.0)
    """
    draw = np.random.default_rng(seed)
    height = np.sqrt(power / (1 - 1 / values))  # a one-hot code has the variance 1 - 1 / values
    z = draw.integers(values, size=draws)
    seen = height * np.eye(values)[z] + np.sqrt(noise) * draw.normal(size=(draws, values))
    logits = height * seen / noise
    logits -= logits.max(axis=1, keepdims=True)
    log_probs = logits[np.arange(draws), z] - np.log(np.exp(logits).sum(axis=1))
    return float(np.log(values) + log_probs.mean())
