"""Forgetting curves against closed forms, enumeration and memories made by hand."""

import itertools
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory import MEMORIES
from agents.networks import Backbone, LanguageModel
from experiments.bridge.measures import edits, retention
from experiments.bridge.measures.count_only import by_lag, nats_of_one

KEY = jax.random.key(0)


def test_what_a_counter_still_knows_of_the_first_card():
    """The numbers that a minimal language model of RepeatFirstEasy is held against. They were
    first found by sampling, which the exact ones correct in the third digit."""
    nats = np.array([nats_of_one(t, 13) for t in range(1, 53)])
    at = np.array([1, 2, 3, 4, 8, 16, 32, 51]) - 1
    expected = [1.386, 0.858, 0.599, 0.446, 0.192, 0.071, 0.019, 0.001]
    np.testing.assert_allclose(nats[at], expected, atol=2e-3)
    assert nats[1] == pytest.approx(math.log(4) - 39 / 51 * math.log(2))
    assert nats[51] == pytest.approx(0, abs=1e-12), "the whole deck tells nothing"


def test_the_count_only_curve_by_all_orders_of_a_small_deck():
    """Of eight cards, and with the newest on the table it says less by one card."""
    orders = set(itertools.permutations([0, 0, 1, 1, 2, 2, 3, 3]))
    decks = np.array(sorted(orders))
    for t in (1, 3, 6):
        joint, given_last = {}, {}
        for deck in decks:
            key = tuple(np.sort(deck[:t]))
            joint.setdefault(key, np.zeros(4))[deck[0]] += 1
            given_last.setdefault((key, deck[t - 1]), np.zeros(4))[deck[0]] += 1

        def known(table):
            tallies = np.array(list(table.values()))
            p = tallies / tallies.sum(axis=1, keepdims=True)
            entropy = -np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1)), 0), axis=1)
            return math.log(4) - np.average(entropy, weights=tallies.sum(axis=1))

        assert nats_of_one(t, 2) == pytest.approx(known(joint))
        assert by_lag(t, 2)[-1] == pytest.approx(known(given_last))


@pytest.fixture(scope="module")
def histories():
    """Ten cards of each of 1024 decks of 4 x 4."""
    return edits.deal_histories(KEY, 10, 1024, each=4)


def test_histories_are_dealt_without_replacement(histories):
    counts = jax.nn.one_hot(histories, 4).sum(axis=0)
    assert counts.max() <= 4 and histories.shape == (10, 1024)
    np.testing.assert_allclose(counts.mean(axis=0), 2.5, atol=0.1)


def test_swaps_keep_counts_and_replacements_change_one_card(histories):
    edited, differ = map(np.asarray, jax.jit(edits.swapped)(KEY, histories))
    histories, one_hot = np.asarray(histories), np.eye(4, dtype=int)
    assert (one_hot[edited].sum(axis=1) == one_hot[histories].sum(axis=0)).all()
    assert ((edited != histories).sum(axis=1) == np.where(differ, 2, 0)).all()
    assert all((edited[k, 9 - k] != histories[9 - k]).any() for k in range(10))
    replaced = jax.jit(partial(edits.replaced, each=4))
    edited, possible = map(np.asarray, replaced(KEY, histories))
    assert possible.all()
    assert ((edited != histories).sum(axis=1) == 1).all()
    assert all((edited[k, 9 - k] != histories[9 - k]).all() for k in range(10))
    assert one_hot[edited].sum(axis=1).max() <= 4, "only decks that can be"


@pytest.mark.slow
def test_a_counter_has_order_index_zero_and_a_register_two_thirds(histories):
    """The positive control: the two memories that the costumes are said to have, made by hand."""
    found = jax.jit(lambda cards: edits.effects(edits.next_card(4), cards, KEY, 4))(histories)
    np.testing.assert_allclose(found.swap, 0, atol=1e-6)
    np.testing.assert_allclose(found.replace, 1 / 6, rtol=1e-4)  # one of six left
    assert found.order_index < 1e-5
    for lag, place in ((3, 3), (-1, 9)):
        one = partial(edits.effects, edits.card_before(lag), key=KEY, each=4)
        found = jax.jit(lambda cards, one=one: one(cards=cards))(histories)
        assert found.swap[place] == 1 and found.replace[place] == 1
        others = np.delete(found.swap, place)
        np.testing.assert_allclose(others, 1 / 9, atol=0.05)
        assert np.delete(found.replace, place).max() == 0
        assert found.order_index == pytest.approx(2 / 3, abs=0.03)


def test_probes_find_what_hand_made_memories_hold():
    """A register gives all of its card; a counter what the closed form says, by a probe that sees
    each count as a word; noise gives nothing."""
    generator = np.random.default_rng(0)
    cards = generator.permuted(np.tile(np.repeat(np.arange(4), 4), (6000, 1)), axis=1)[:, :4]
    noise = generator.normal(size=(6000, 20))
    register = np.concatenate([np.eye(4)[cards[:, 1]], noise[:, :16]], axis=1)
    counts = np.eye(4, dtype=int)[cards].sum(axis=1)
    counter = np.eye(5)[counts].reshape(-1, 20)
    states = np.stack([register, counter, noise])
    found = retention.retention(states, cards[:, [1, 3]], 4)
    np.testing.assert_allclose(found[0], [math.log(4), 0], atol=0.03)
    np.testing.assert_allclose(found[1], nats_of_one(4, 4), atol=0.04)
    np.testing.assert_allclose(found[2], 0, atol=0.03)


@pytest.fixture(scope="module")
def small():
    """A GRU whose encoder can be inverted, and what it reads."""
    network = LanguageModel(Backbone((MEMORIES["gru"](features=8),)), (4,), 2, 8)
    x = jax.random.normal(KEY, (5, 3, 8))
    start = jnp.arange(5)[:, None] == jnp.zeros((5, 3))
    carry = network.initial_carry(3)
    return network, jax.jit(network.init)(KEY, carry, x, start), x, start


@pytest.mark.slow
def test_sensitivity_is_the_jacobian_with_respect_to_embeddings(small):
    """By the chain rule: the encoder is linear and here it can be inverted."""
    network, params, x, start = small

    def last(x):
        return network.apply(params, network.initial_carry(3), x, start)[1][-1]

    own = jnp.einsum("nktnd->ntkd", jax.jit(jax.jacobian(last))(x))
    back = jnp.linalg.inv(params["params"]["backbone"]["encoder"]["kernel"])
    size = jnp.linalg.norm(own @ back.T, axis=(-2, -1)).mean(axis=0)[::-1]
    run = partial(retention.sensitivity, network, outputs=lambda out: out[1])
    shares = jax.jit(run)(params, x, start)
    np.testing.assert_allclose(shares, size / size.sum(), rtol=1e-3)
    assert len(set(shares.tolist())) == 5


def test_half_life_above_an_untrained_network():
    kept = np.array([[1.2, 1.0, 0.4, 0.4], [1.2, 0.3, 0.2, 0.9]])
    null = np.array([0.9, 0.3, 0.2, 0.1])
    assert retention.half_life(kept, null).tolist() == [2.0, 1.0]
    assert retention.half_life(kept[:1, :2], null[:2]).tolist() == [np.inf]
    np.testing.assert_allclose(retention.recoverable(kept), [3.0, 2.6])


@pytest.mark.slow  # by default: curves of known memories
def test_features_are_what_the_heads_read(small):
    network, params, x, start = small
    features = retention.features_along(network, params, x, start)
    logits = network.apply(params, features, method=LanguageModel.token_logits)
    own = network.apply(params, network.initial_carry(3), x, start)[1]
    np.testing.assert_allclose(logits, own, atol=1e-6)
