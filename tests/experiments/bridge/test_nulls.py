"""Nulls, ceilings and tests of likeness, on matrices made to be so."""

import numpy as np
import pytest

from experiments.bridge.measures.nulls import compare, holm, likeness, over_networks, permutation
from experiments.bridge.measures.similarity import cka

A, B, UNTRAINED = range(5), range(5, 10), range(10, 15)


def networks(shared: float, seed: int = 0) -> np.ndarray:
    """Likenesses of 15 networks: all trained ones hold a common part, each kind has one of its own
    in so much that `shared` is the common share, and untrained ones have nothing in common."""
    draw = np.random.default_rng(seed)
    rows, width = 600, 3
    common, of_a, of_b = draw.normal(size=(3, rows, width))
    own = [of_a] * 5 + [of_b] * 5
    states = []
    for i in range(15):
        noise = draw.normal(size=(rows, 4))
        if i < 10:
            held = np.concatenate([shared * common, (1 - shared) * own[i]], axis=1)
            noise = np.concatenate([2 * held, 0.3 * noise], axis=1)
        states.append(noise @ np.linalg.qr(draw.normal(size=(noise.shape[1],) * 2))[0])
    return np.array([[cka(x, y) for y in states] for x in states])


def test_one_kind_under_two_names_is_the_same():
    found = compare(networks(shared=1.0), A, B, UNTRAINED, repetitions=500)
    assert found.likeness.ns == pytest.approx(1, abs=0.05)
    assert found.verdict == "the same" and found.equivalence < 0.01
    assert found.permutation > 0.05


def test_two_kinds_are_different():
    found = compare(networks(shared=0.5), A, B, UNTRAINED, repetitions=500)
    assert 0 < found.likeness.ns < 0.9 and found.high < 1
    assert found.verdict == "different" and found.equivalence > 0.5
    assert found.permutation == pytest.approx(2 / 252)


def test_strangers_have_no_likeness():
    found = likeness(networks(shared=0.0), A, B, UNTRAINED)
    assert found.ns == pytest.approx(0, abs=0.05)


def test_noise_is_inconclusive():
    draw = np.random.default_rng(1)
    matrix = 0.5 + 0.3 * draw.normal(size=(15, 15))
    matrix[10:] -= 0.4
    matrix[:, 10:] -= 0.4
    found = compare((matrix + matrix.T) / 2, A, B, UNTRAINED, repetitions=500)
    assert found.verdict == "inconclusive" and found.low < found.likeness.ns < found.high


def test_three_seeds_can_never_be_significant():
    matrix = np.kron(np.eye(2), np.ones((3, 3)))
    p = permutation(matrix, range(3), range(3, 6), np.random.default_rng(0))
    assert p == pytest.approx(2 / 20)


def test_networks_not_pairs_are_drawn_again():
    """One odd network of five spoils four pairs of ten, and the interval knows it."""
    matrix = np.full((15, 15), 0.9)
    matrix[10:] = matrix[:, 10:] = 0.0
    matrix[9, :9] = matrix[:9, 9] = 0.1
    found = compare(matrix, A, B, UNTRAINED, repetitions=500)
    assert found.high - found.low > 0.3


def test_holm_is_at_least_as_strict_as_each_alone():
    p = np.array([0.2, 0.001, 0.02, 0.02])
    assert holm(p).tolist() == pytest.approx([0.2, 0.004, 0.06, 0.06])


def test_means_over_seeds_with_intervals():
    draw = np.random.default_rng(0).normal(3, 1, size=(40, 2))
    mean, low, high = over_networks(draw)
    standard_error = draw.std(axis=0) / np.sqrt(40)
    np.testing.assert_allclose(mean - low, 1.96 * standard_error, rtol=0.15)
    np.testing.assert_allclose(high - mean, 1.96 * standard_error, rtol=0.15)
