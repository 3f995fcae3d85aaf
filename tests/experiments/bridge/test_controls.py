"""Controls of probes: each finds what it should, and no more."""

import math

import jax
import numpy as np
import pytest

from experiments.bridge.decks import TINY
from experiments.bridge.measures import beliefs, controls, planted
from experiments.bridge.measures.overlap import dealt
from experiments.bridge.measures.probes import ask, probe
from popjax.players.base import random_player

ENV, T = TINY["RepeatPrevious"], 6


@pytest.fixture(scope="module")
def cards():
    return dealt(ENV, random_player(ENV), jax.random.key(2), 1500)


@pytest.fixture(scope="module")
def asked(cards):
    return beliefs.question(ENV, "rl", cards, T)


@pytest.mark.slow
def test_the_last_cards_tell_a_register_once_they_are_enough(cards, asked):
    told = []
    for m in (1, 2, 3):
        words = np.pad(controls.last_cards(cards, T, m, 4), ((0, 0), (0, 4 * (3 - m))))
        told.append(probe(words[None], asked).share[0])
    np.testing.assert_allclose(told, [0, 0.5, 1], atol=0.06)


@pytest.mark.slow
def test_a_register_is_selective_and_shuffled_labels_tell_nothing(cards, asked):
    register = planted.states(ENV, "rl", cards, T)[None]
    token = cards[T, :, 0]
    assert probe(register, asked).share[0] > 0.95
    assert abs(probe(register, controls.shuffled(asked, token)).share[0]) < 0.03
    by_rote = controls.hashed(np.stack([cards[0, :, 0], np.full(1500, T % 7)], axis=1), 16)
    assert probe(register, by_rote).information[0] < 0.05, "it does not hold the first card"
    assert by_rote.known.mean() < math.log(4) + 1e-6


def test_shuffled_labels_keep_their_token(cards, asked):
    again = controls.shuffled(asked, cards[T, :, 0])
    for token in range(4):
        rows = cards[T, :, 0] == token
        assert (again.target[rows].sum(0) == asked.target[rows].sum(0)).all()
    assert (again.target != asked.target).any()


def test_a_description_is_short_where_labels_are_easy():
    """By the prior alone n ln 4; with the card in the state hardly more than the first block; with
    a blurred card in a state of many other things, in between."""
    draw = np.random.default_rng(3)
    card = draw.integers(4, size=1600)
    noise = draw.normal(size=(1600, 60))
    easy = np.concatenate([3 * np.eye(4)[card], 0 * noise], axis=1)
    blurred = np.eye(4)[card] + 0.5 * draw.normal(size=(1600, 4))
    hard = np.concatenate([blurred, noise], axis=1)
    blind = np.concatenate([0 * np.eye(4)[card], noise], axis=1)
    nats = controls.description(np.stack([easy, hard, blind]), ask(card, 4))
    assert nats[0] < 0.15 < 0.3 < nats[1] < 1.2 and nats[2] > math.log(4)
