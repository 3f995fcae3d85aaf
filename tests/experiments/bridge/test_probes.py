"""Probes: what a state tells, in nats, where the right number is known."""

import itertools
import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from experiments.bridge.measures import probes
from experiments.bridge.measures.probes import NEVER, Question, ask, probe, whitened

ROWS = 1200


@pytest.fixture(scope="module")
def cards():
    return np.random.default_rng(0).integers(4, size=ROWS)


@pytest.fixture(scope="module")
def noisy(cards):
    """States that tell nothing, a part, and all of the card, in another basis and scale each."""
    draw = np.random.default_rng(1)
    states = draw.normal(size=(3, ROWS, 6))
    states[1, :, :4] += 1.5 * np.eye(4)[cards]
    states[2, :, :4] += 1000 * np.eye(4)[cards]
    return states @ draw.normal(size=(3, 6, 6)) + 5


def test_a_probe_tells_nothing_a_part_or_all(cards, noisy):
    found = probe(noisy, ask(cards, 4))
    assert found.entropy == pytest.approx(math.log(4)) and found.floor == 0
    assert abs(found.information[0]) < 0.02
    assert 0.2 < found.information[1] < 0.8
    assert found.share[2] > 0.99 and found.accuracy[2] == 1
    again = probe(1e3 * noisy @ np.random.default_rng(2).normal(size=(6, 6)), ask(cards, 4))
    np.testing.assert_allclose(found.information, again.information, atol=2e-3)


def test_the_information_of_a_gaussian_channel():
    """x = s + noise, s = +-1 by a coin: ln 2 - E ln(1 + exp(-2 x s)), by quadrature."""
    draw = np.random.default_rng(3)
    coin = draw.integers(2, size=20_000)
    x = (2 * coin - 1 + draw.normal(size=20_000))[None, :, None]
    node, weight = np.polynomial.hermite_e.hermegauss(80)
    exact = math.log(2) - weight @ np.log1p(np.exp(-2 * (1 + node))) / math.sqrt(2 * math.pi)
    assert probe(x, ask(coin, 2)).information[0] == pytest.approx(exact, abs=0.01)


def test_the_minimum_is_that_of_scikit_learn(cards, noisy):
    x, penalty = whitened(noisy[1]), 0.01
    theirs = LogisticRegression(C=1 / (penalty * ROWS), tol=1e-9, max_iter=1000).fit(x, cards)
    question = (np.eye(4)[cards], np.zeros((ROWS, 4)), np.eye(4), np.ones(ROWS))
    ours = [np.float32(a) for a in (x, *question)]
    _, logits = probes.fit(*ours, penalty, probes.blank(ours[0], ours[3]), 30)
    np.testing.assert_allclose(
        np.exp(logits) / np.exp(logits).sum(1, keepdims=True), theirs.predict_proba(x), atol=1e-4
    )


def test_what_the_prior_knows_is_not_paid_for(cards):
    """A state that repeats the token on the table tells nothing of a card that depends on it."""
    draw = np.random.default_rng(4)
    law = np.full((4, 4), 0.1) + 0.6 * np.eye(4)
    token = (cards + (draw.random(ROWS) > 0.7) * draw.integers(1, 4, ROWS)) % 4
    question = ask(cards, 4, prior=np.log(law[token]))
    found = probe(np.eye(4)[token][None], question)
    assert abs(found.information[0]) < 0.02 and abs(found.share[0]) < 0.02
    entropy = -0.7 * math.log(0.7) - 0.3 * math.log(0.1)
    assert found.entropy == pytest.approx(entropy, abs=0.08)


def test_a_linear_counter_tells_all_counts_by_their_parts():
    """85 ways to deal 8 cards of four suits of four each, of which few rows see each."""
    counts = np.array([c for c in itertools.product(range(5), repeat=4) if sum(c) == 8])
    parts = np.concatenate([np.eye(5)[counts[:, suit]] for suit in range(4)], axis=1)
    value = np.random.default_rng(5).integers(len(counts), size=ROWS)
    question = ask(value, len(counts), parts=parts)
    assert len(counts) == 85
    assert probe(counts[value][None] * 1.0, question).share[0] > 0.9


def test_soft_beliefs_have_a_floor():
    belief = np.random.default_rng(6).dirichlet(np.ones(4), size=ROWS)
    question = Question(belief, np.full((ROWS, 4), -math.log(4)), np.eye(4))
    found = probe(np.log(belief)[None], question)
    assert found.floor == pytest.approx(-np.mean(np.sum(belief * np.log(belief), 1)), abs=0.02)
    assert abs(found.divergence[0]) < 0.01 and found.share[0] > 0.97


def test_episodes_are_split_not_rows():
    episodes = np.repeat(np.arange(30), 40)
    part = probes.parts_of_rows(1200, episodes, folds=2, test_share=1 / 3, seed=0)
    assert all(len(np.unique(part[episodes == e])) == 1 for e in range(30))
    assert [np.sum(part == i) for i in (-1, 0, 1)] == [400, 400, 400]


def test_what_cannot_be_is_never_said(cards):
    prior = np.log(np.full((ROWS, 5), 0.25))
    prior[:, 4] = NEVER
    found = probe(np.zeros((1, ROWS, 2)), ask(cards, 5, prior=prior))
    assert found.nats[0] == pytest.approx(math.log(4), abs=0.01)
