"""Comparing what was drawn with a law, at a fixed seed and p > 1e-4."""

from __future__ import annotations

import numpy as np
from scipy import stats

SMALLEST_P = 1e-4


def check_counts(observed: np.ndarray, expected: np.ndarray, where: str = "") -> None:
    """Chi-square test of counts against the numbers expected of them."""
    observed, expected = np.ravel(observed), np.ravel(expected).astype(np.float64)
    assert (observed[expected == 0] == 0).all(), f"{where}: drew what cannot be"
    possible = expected > 0
    if possible.sum() == 1:
        return
    p = stats.chisquare(observed[possible], expected[possible]).pvalue
    assert p > SMALLEST_P, f"{where}: p = {p}, drew {observed}, expected {expected}"


def check_deck_law(shown: np.ndarray, num_kinds: int, num_cards: int) -> None:
    """The cards `shown[T, N]` of `N` decks follow the law of a shuffled deck: the first card is
    uniform, and given it, any later one is drawn from the other cards."""
    each = num_cards // num_kinds
    same = np.eye(num_kinds, dtype=bool)
    pairs = np.where(same, each - 1, each) / (num_kinds * (num_cards - 1))
    for later in (1, 2, len(shown) // 2, len(shown) - 1):
        table = np.zeros((num_kinds, num_kinds), int)
        np.add.at(table, (shown[0], shown[later]), 1)
        check_counts(table, pairs * shown.shape[1], f"first card and card {later}")


def check_uniform(drawn: np.ndarray, low: float, high: float, where: str = "") -> None:
    """Kolmogorov-Smirnov test of numbers against the uniform law on `[low, high]`."""
    drawn = np.ravel(drawn).astype(np.float64)
    assert (drawn >= low).all() and (drawn <= high).all(), f"{where}: drew what cannot be"
    p = stats.kstest(drawn, stats.uniform(low, high - low).cdf).pvalue
    assert p > SMALLEST_P, f"{where}: p = {p}"


def check_same_law(drawn: np.ndarray, others: np.ndarray, where: str = "") -> None:
    """Two-sample Kolmogorov-Smirnov test."""
    p = stats.ks_2samp(np.ravel(drawn), np.ravel(others)).pvalue
    assert p > SMALLEST_P, f"{where}: p = {p}"


def check_blur(
    obs: np.ndarray, clear: np.ndarray, sigma: float, low: np.ndarray, high: np.ndarray
) -> None:
    """`obs[N, n]` is `clear[N, n]` plus independent normal noise, clipped to `[low, high]`.

    What lies inside the bounds is mapped through its distribution function, given that it lies
    inside: uniform. How many lie on each bound is a sum of known chances.
    """
    obs, clear = obs.astype(np.float64), clear.astype(np.float64)
    low, high = np.float64(np.float32(low)), np.float64(np.float32(high))
    assert (obs >= low).all() and (obs <= high).all(), "noise that is not clipped"
    below, above = stats.norm.cdf((low - clear) / sigma), stats.norm.sf((high - clear) / sigma)
    for on_bound, chance in ((obs == low, below), (obs == high, above)):
        expected, variance = chance.sum(), (chance * (1 - chance)).sum()
        assert abs(on_bound.sum() - expected) <= 4 * np.sqrt(variance) + 1, "clipped too often"
    inside = (obs > low) & (obs < high)
    place = (stats.norm.cdf((obs - clear) / sigma) - below) / (1 - above - below)
    check_uniform(np.clip(place[inside], 0, 1), 0, 1, "noise")
    both = inside.all(axis=1)
    p = stats.spearmanr(place[both, 0], place[both, 1]).pvalue
    assert p > SMALLEST_P, f"the two components move together: p = {p}"
