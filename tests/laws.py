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
