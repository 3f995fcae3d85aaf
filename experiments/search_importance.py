"""How much of the scores one hyper-parameter explains by itself."""

from __future__ import annotations

import numpy as np
import scipy  # its parts load when they are used

BINS = 4


def bins_of(places: np.ndarray) -> np.ndarray:
    """Which quarter of the points each belongs to, by its place: `[n]` from 0 to 3."""
    return ((scipy.stats.rankdata(places, method="ordinal") - 1) * BINS // len(places)).astype(int)


def explained(places: np.ndarray, scores: np.ndarray) -> float:
    """The share of the variance of the scores' ranks that lies between the quarters of the places.

    Kelley's epsilon squared (1935), which is 0 in expectation where nothing is explained, so it
    may be below 0. Ranks, since a few runs that fail should not decide. What hyper-parameters do
    together is in none of the shares.

    >>> places = np.linspace(0, 1, 64)
    >>> round(explained(places, places**3), 2)
    0.93
    """
    ranks, bins = scipy.stats.rankdata(scores), bins_of(places)
    total = np.sum((ranks - ranks.mean()) ** 2)
    inside = sum(np.sum((ranks[bins == b] - ranks[bins == b].mean()) ** 2) for b in np.unique(bins))
    count, kinds = len(scores), len(np.unique(bins))
    if total == 0 or count <= kinds:
        return 0.0
    return float(1 - (inside / (count - kinds)) / (total / (count - 1)))


def by_chance(places: np.ndarray, scores: np.ndarray, repetitions: int = 400) -> float:
    """What 95 % of shuffled scores stay below."""
    generator = np.random.default_rng(0)
    shuffled = [explained(places, generator.permutation(scores)) for _ in range(repetitions)]
    return float(np.quantile(shuffled, 0.95))
