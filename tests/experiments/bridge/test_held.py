"""The ruler: what is planted at a share of the variance is read through noise as the share says."""

import jax
import numpy as np
import pytest

import popjax
from experiments.bridge.measures import planted
from experiments.bridge.measures.held import (
    NOISES,
    gaussian_channel,
    network_reading,
    variance_share,
)
from experiments.bridge.measures.overlap import dealt, deck_of
from experiments.bridge.measures.probes import ask, noisy, probe
from experiments.bridge.measures.questions import counted
from popjax.players.base import random_player

SHARES = (1.0, 0.1, 0.01, 0.001)
WIDTH = 32


@pytest.fixture(scope="module")
def register():
    """The first card, as RepeatFirst's agent keeps it, at each share."""
    card = np.random.default_rng(0).integers(4, size=3000)
    words = np.eye(4)[card]
    return ask(card, 4), np.stack([planted.at_share(words, s, WIDTH) for s in SHARES])


def test_a_register_is_read_as_its_share_says(register):
    """At each noise what the exact posterior of the Gaussian channel tells, and never more. What
    stands in the way is the noise alone: the rest of the state lies in other directions."""
    question, states = register
    for noise in NOISES:
        read = probe(states, question, noise=noise).information
        told = [gaussian_channel(4, s * WIDTH, noise**2 + 1e-9) for s in SHARES]
        np.testing.assert_allclose(read, told, atol=0.08)
    clear, faint = read[0], read[-1]
    assert clear > 1.35 and faint < 0.25  # at noise 0.3, of ln 4 = 1.386


def test_without_noise_a_thousandth_reads_as_all(register):
    """Why the ruler needs noise: a linear reading of whitened states does not see the share."""
    question, states = register
    assert probe(states, question).information.min() > 1.35


def test_the_share_of_the_variance_is_the_one_planted(register):
    question, states = register
    found = variance_share(states, question, np.zeros(states.shape[1], int))
    np.testing.assert_allclose(found, SHARES, rtol=0.1, atol=5e-3)


@pytest.mark.slow  # by default: the linear probe
def test_a_network_reads_at_least_what_a_probe_does(register):
    question, states = register
    linear = probe(states, question, noise=0.3).information
    assert np.all(network_reading(states, question, noise=0.3) > linear - 0.1)


@pytest.mark.slow  # by default: the register
def test_a_counter_fades_with_its_share():
    """The counts of four suits after eight cards: all of them from a whole state, less at every
    step down and at every step of noise."""
    env = popjax.make("RepeatFirstEasy")
    cards = dealt(env, random_player(env), jax.random.key(1), 1500)
    words = planted.states(env, "lm", cards, 8)[:, :-1]
    states = np.stack([planted.at_share(words, share, 80) for share in SHARES])
    asked = counted(deck_of(env), cards, 8)[:1]  # one suit stands for all
    known = sum(part.known.mean() for part in asked)
    read = np.array(
        [sum(probe(states, part, noise=n).information for part in asked) for n in NOISES]
    )
    assert read[0].min() > 0.9 * known
    assert np.all(np.diff(read[1:], axis=1) < 0.02 * known), "less at each smaller share"
    assert np.all(np.diff(read, axis=0)[:, 1:] < 0.02 * known), "less through more noise"
    assert read[-1, -1] < 0.2 * known


def test_noise_is_that_of_a_unit_whatever_the_basis():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(2, 4000, 3)) * np.array([1.0, 5.0])[:, None, None]
    size = (noisy(x, 0.3) - x).std(axis=(1, 2))
    np.testing.assert_allclose(size, [0.3, 1.5], rtol=0.05)
