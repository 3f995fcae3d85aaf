"""The positive control: memories made by hand land on the overlap that the rules predict."""

from functools import cache

import jax
import numpy as np
import pytest

from experiments.bridge.decks import TINY
from experiments.bridge.measures import beliefs, planted
from experiments.bridge.measures.overlap import dealt, exact
from experiments.bridge.measures.probes import probe
from popjax.players.base import random_player
from tests.support.planted import in_noise

ENVS = TINY
STEPS = {"RepeatFirst": (2, 5), "RepeatPrevious": (3, 6), "CountRecall": (3, 6)}


@cache
def decks(name):
    env = ENVS[name]
    return dealt(env, random_player(env), jax.random.key(1), 2400)


@pytest.mark.by_default("rl-CountRecall", "lm-RepeatPrevious")
@pytest.mark.parametrize("name", ENVS)
@pytest.mark.parametrize("who", ["rl", "lm"])
def test_the_prior_is_what_clock_and_token_leave_open(name, who):
    """Its cross-entropy on dealt decks is the entropy in closed form; what never comes is never
    said to come."""
    env, found = ENVS[name], exact(ENVS[name])
    first = env.max_steps - len(found.of_rl)
    for t in STEPS[name]:
        statistic = beliefs.statistic_of(env, who, t)
        np.testing.assert_allclose(np.exp(statistic.prior).sum(axis=1), 1)
        question = beliefs.question(env, who, decks(name), t, size=90)
        assert question.target.shape == question.prior.shape == (2400, 90)
        entropy = (found.of_rl if who == "rl" else found.of_lm)[t - first]
        assert question.known.mean() == pytest.approx(entropy, rel=0.03)


@pytest.mark.slow  # by default: measures on given data
@pytest.mark.parametrize("name", ENVS)
def test_a_counter_and_a_register_land_on_their_overlap(name):
    """Each tells all of its own statistic and of the other's what the rules say, also if it is
    held in another basis."""
    env, cards, found = ENVS[name], decks(name), exact(ENVS[name])
    first = env.max_steps - len(found.of_rl)
    at = [t - first for t in STEPS[name]]
    told = {"rl": 0.0, "lm": 0.0}
    for t in STEPS[name]:
        plain = [planted.states(env, who, cards, t) for who in ("rl", "lm")]
        width = max(s.shape[1] for s in plain) + 3
        states = np.stack([in_noise(s, width, 0.0, seed=i) for i, s in enumerate(plain)])
        for who in told:
            size = beliefs.most_values(env, who, STEPS[name])
            question = beliefs.question(env, who, cards, t, size)
            told[who] = told[who] + probe(states, question).information
    of_rl, of_lm, shared = (nats[at].sum() for nats in (found.of_rl, found.of_lm, found.shared))
    register, counter = 0, 1
    assert told["rl"][register] / of_rl == pytest.approx(1, abs=0.03)
    assert told["lm"][counter] / of_lm == pytest.approx(1, abs=0.03)
    assert told["rl"][counter] / of_rl == pytest.approx(shared / of_rl, abs=0.05)
    assert told["lm"][register] / of_lm == pytest.approx(shared / of_lm, abs=0.05)


def test_the_tiny_games_lie_where_the_standard_ones_do():
    numbers = {"RepeatFirst": (0.213, 0.104), "RepeatPrevious": (0.189, 0.177)}
    for name, env in ENVS.items():
        found = exact(env)
        rl_given_lm, lm_given_rl = numbers.get(name, (1, 0.5))
        assert found.rl_given_lm == pytest.approx(rl_given_lm, abs=1e-3)
        assert found.lm_given_rl == pytest.approx(lm_given_rl, abs=1e-3)
