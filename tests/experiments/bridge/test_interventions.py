"""Exchanges between networks, on memories made by hand whose answers are known."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import Ridge

from experiments.bridge.measures import interventions
from experiments.bridge.measures.interventions import (
    divergence,
    exchanged,
    interchange,
    ridge,
    rotation,
    through,
    transplant,
)

N = 1200


@pytest.fixture(scope="module")
def cards():
    """Two cards of each history: one that an agent must name, one that does not matter to it."""
    return np.random.default_rng(0).integers(4, size=(2, N))


def turned(words, seed, noise=0.05):
    draw = np.random.default_rng(seed)
    turn = np.linalg.qr(draw.normal(size=(words.shape[1],) * 2))[0]
    return words @ turn + noise * draw.normal(size=words.shape), turn


@pytest.fixture(scope="module")
def networks(cards):
    """Three: two agents that hold both cards, each in its own basis, and one that holds but the
    second card. The head of the first agent reads its first card."""
    both = np.concatenate([np.eye(4)[cards[0]], np.eye(4)[cards[1]]], axis=1)
    agent, turn = turned(both, 1)
    other, _ = turned(3 * both + 1, 2)
    ignorant, _ = turned(np.pad(np.eye(4)[cards[1]], ((0, 0), (0, 4))), 3)

    def head(states):
        logits = 12 * (states @ turn.T)[:, :4]
        p = np.exp(logits - logits.max(1, keepdims=True))
        return p / p.sum(1, keepdims=True)

    return agent, other, ignorant, head


def test_ridge_is_scikit_learns_at_its_best_penalty():
    draw = np.random.default_rng(4)
    x = draw.normal(size=(60, 12))
    y = x @ draw.normal(size=(12, 3)) + 3 * draw.normal(size=(60, 3))
    errors = []
    for penalty in interventions.PENALTIES:
        alpha = penalty * np.mean(np.linalg.svd(x - x.mean(0))[1] ** 2)
        folds = [np.arange(60) != i for i in range(60)]
        left_out = [
            y[i] - Ridge(alpha).fit(x[fold], y[fold]).predict(x[i : i + 1])[0]
            for i, fold in enumerate(folds)
        ]
        errors.append(np.mean(np.square(left_out)))
    best = interventions.PENALTIES[int(np.argmin(errors))]
    alpha = best * np.mean(np.linalg.svd(x - x.mean(0))[1] ** 2)
    theirs = Ridge(alpha).fit(x, y)
    np.testing.assert_allclose(through(ridge(x, y), x), theirs.predict(x), atol=0.02)


def test_a_rotation_is_found_and_nothing_more():
    draw = np.random.default_rng(5)
    x = draw.normal(size=(100, 5))
    turn = np.linalg.qr(draw.normal(size=(5, 5)))[0]
    np.testing.assert_allclose(through(rotation(x, 2 * x @ turn + 7), x), 2 * x @ turn + 7)
    y = draw.normal(size=(100, 5))
    found = rotation(x, y)[:-1]
    theirs = orthogonal_procrustes(x - x.mean(0), y - y.mean(0))[0]
    np.testing.assert_allclose(found / np.linalg.norm(found, 2), theirs, atol=1e-9)


@pytest.mark.parametrize("fit", [ridge, rotation])
def test_a_transplanted_state_is_worth_what_it_holds(cards, networks, fit):
    agent, other, ignorant, head = networks

    def score(carry):
        return jnp.log(head(np.asarray(carry[0], np.float64))[np.arange(N), cards[0]])

    own = (jnp.asarray(agent),)
    assert transplant((jnp.asarray(other),), own, score, fit) == pytest.approx(1, abs=0.1)
    assert transplant((jnp.asarray(ignorant),), own, score, fit) < 0.05
    with pytest.raises(ValueError, match="real numbers"):
        transplant((jnp.arange(N),), own, score, fit)


@pytest.mark.parametrize("fit", [ridge, rotation])
def test_a_head_reads_what_anothers_states_hold(cards, networks, fit):
    agent, other, ignorant, head = networks
    law = np.eye(4)[cards[0]]

    def worth(states):
        return -divergence(law, head(states))

    assert exchanged(other, agent, worth, fit) == pytest.approx(1, abs=0.1)
    assert exchanged(ignorant, agent, worth, fit) < 0.05


def test_states_go_flat_and_back():
    carry = ({"h": jnp.arange(12.0).reshape(3, 2, 2)}, jnp.ones((3, 1)))
    again = interventions.unflat(interventions.flat(carry), carry)
    assert (again[0]["h"] == carry[0]["h"]).all() and (again[1] == 1).all()


def test_a_network_that_holds_the_belief_simulates_it(cards, networks):
    agent, _, ignorant, head = networks
    belief = np.eye(4)[cards[0]]
    found = interventions.simulation(belief, agent, head)
    assert found.bayes_from_net > 0.9 and found.nats < 0.02
    assert found.net_from_bayes == pytest.approx(0.5, abs=0.1), "it holds another card as well"
    none = interventions.simulation(belief, ignorant, head)
    assert none.bayes_from_net < 0.02


def test_interchange_within_and_across(cards, networks):
    """The right subspace carries the answer; one that does not matter leaves it; what another
    network holds comes through the map, and what it does not hold cannot."""
    agent, other, ignorant, head = networks
    basis = interventions.span(np.eye(4)[cards[0]], agent)
    assert basis.shape == (8, 3)

    def law(source):
        return np.eye(4)[cards[0][source]]

    within = interchange(agent, agent, basis, law, head)
    assert within.accuracy > 0.98 and within.moved > 0.95 and within.by_chance < 0.8
    elsewhere = interventions.span(np.eye(4)[cards[1]], agent)
    assert interchange(agent, agent, elsewhere, law, head).accuracy < 0.4
    half = slice(N // 2)
    for donor, low, high in ((other, 0.98, 1), (ignorant, 0, 0.4)):
        translated = through(ridge(donor[half], agent[half]), donor)
        assert low <= interchange(agent, translated, basis, law, head).accuracy <= high
