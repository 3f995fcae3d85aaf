"""Are two kinds of networks as similar as two seeds of one kind, or as unrelated networks?

    NS = (sim(A, B) - null) / (ceiling - null)

null: the mean similarity of a trained and an untrained network. ceiling: the mean similarity of two
seeds of one kind, for the kind where it is lower. 1: as similar as two seeds of one objective;
0: no more than an untrained network. Near the null the ratio is meaningless, so NS is given only
where ceiling and null are more than 0.2 apart, and always with the three similarities.
Pairs share networks, so the bootstrap resamples networks, not pairs, and the permutation test
permutes the labels of networks with the matrix fixed. "The same" is claimed only by an equivalence
test: the interval lies within a margin of 1 (Schuirmann 1987).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

MARGIN = 0.1
APART = 0.2
"""The least difference of ceiling and null at which NS is meaningful."""
Verdict = Literal["the same", "different", "inconclusive"]


class Likeness(NamedTuple):
    """Mean similarity between two kinds, its null and ceiling, and NS."""

    between: float
    null: float
    ceiling: float
    ns: float


class Comparison(NamedTuple):
    """NS of two kinds with its resampling statistics.

    low, high: its 95 % interval. equivalence: p of "further than the margin from 1" (two one-sided
    tests). permutation: p of "the labels mean nothing".
    """

    likeness: Likeness
    low: float
    high: float
    equivalence: float
    permutation: float

    @property
    def has_ns(self) -> bool:
        """Whether the ceiling is far enough above the null for NS to be meaningful."""
        return self.likeness.ceiling - self.likeness.null > APART

    @property
    def verdict(self) -> Verdict:
        """As similar as two seeds of one kind at the 5 % level, less similar, or neither."""
        if not self.has_ns:
            return "inconclusive"
        if self.equivalence < 0.05:
            return "the same"
        return "different" if self.high < 1 and self.likeness.ns < 1 - MARGIN else "inconclusive"


def likeness(
    matrix: Float[np.ndarray, "M M"],
    a: Sequence[int],
    b: Sequence[int],
    untrained: Sequence[int],
) -> Likeness:
    """From the similarity matrix of all networks and the indices of each kind in it. Excluded pairs
    are NaN in the matrix.

    >>> alike = np.full((5, 5), 0.5)
    >>> alike[0, 1] = alike[1, 0] = alike[2, 3] = alike[3, 2] = 0.9
    >>> alike[4] = alike[:, 4] = 0.1
    >>> [round(float(x), 3) for x in likeness(alike, a=[0, 1], b=[2, 3], untrained=[4])]
    [0.5, 0.1, 0.9, 0.5]
    """
    weights = [indicator(kind, len(matrix))[None] for kind in (a, b, untrained)]
    return Likeness(*(float(number[0]) for number in weighed(matrix, *weights)))


def indicator(chosen: Sequence[int], size: int) -> Float[np.ndarray, " size"]:
    """How often each index was drawn."""
    return np.bincount(np.asarray(chosen, int), minlength=size).astype(float)


def pairs_mean(
    matrix: Float[np.ndarray, "M M"], a: Float[np.ndarray, "R M"], b: Float[np.ndarray, "R M"]
) -> Float[np.ndarray, " R"]:
    """Means over pairs of different networks, one of each list, for R sets of weights. A network
    drawn twice does not form a pair."""
    counted = ~np.isnan(matrix) & ~np.eye(len(matrix), dtype=bool)
    total = np.sum(a @ np.where(counted, matrix, 0.0) * b, axis=1)
    pairs = np.sum(a @ counted * b, axis=1)
    return np.where(pairs > 0, total / np.where(pairs > 0, pairs, 1.0), np.nan)


def weighed(matrix, a, b, untrained) -> Likeness:
    """`likeness` for R weights `[R, M]` of all networks."""
    between = pairs_mean(matrix, a, b)
    null = pairs_mean(matrix, a + b, untrained)
    ceiling = np.fmin(pairs_mean(matrix, a, a), pairs_mean(matrix, b, b))
    return Likeness(between, null, ceiling, (between - null) / (ceiling - null))


def redrawn(
    kind: Sequence[int], size: int, repetitions: int, generator: np.random.Generator
) -> Float[np.ndarray, "R size"]:
    """Counts of each network in bootstrap draws of a kind, with at least two distinct networks."""
    kind = np.asarray(kind)
    drawn = generator.choice(kind, size=(repetitions, len(kind)))
    if len(kind) > 1:
        while (alone := (drawn == drawn[:, :1]).all(axis=1)).any():
            drawn[alone] = generator.choice(kind, size=(alone.sum(), len(kind)))
    return np.stack([indicator(row, size) for row in drawn])


def compare(
    matrix: Float[np.ndarray, "M M"],
    a: Sequence[int],
    b: Sequence[int],
    untrained: Sequence[int],
    repetitions: int = 2000,
    seed: int = 0,
) -> Comparison:
    """NS with its interval and both tests."""
    generator = np.random.default_rng(seed)
    weights = [redrawn(k, len(matrix), repetitions, generator) for k in (a, b, untrained)]
    draws = weighed(matrix, *weights).ns
    draws = draws[~np.isnan(draws)]
    low, high = np.quantile(draws, [0.025, 0.975]) if len(draws) else (np.nan, np.nan)
    return Comparison(
        likeness(matrix, a, b, untrained),
        float(low),
        float(high),
        equivalence(draws) if len(draws) else 1.0,
        permutation(matrix, a, b, generator),
    )


def equivalence(
    draws: Float[np.ndarray, " R"], target: float = 1.0, margin: float = MARGIN
) -> float:
    """p of the hypothesis that a number lies further than the margin from the target, from its
    bootstrap draws: the larger p of two one-sided tests.

    >>> near = np.random.default_rng(0).normal(1.0, 0.02, 4000)
    >>> equivalence(near) < 0.001, equivalence(near + 0.09) > 0.05
    (True, True)
    """
    below = np.mean(draws <= target - margin)
    above = np.mean(draws >= target + margin)
    return float(max(below, above, 1 / (len(draws) + 1)))


def permutation(
    matrix: Float[np.ndarray, "M M"],
    a: Sequence[int],
    b: Sequence[int],
    generator: np.random.Generator,
    most: int = 5000,
) -> float:
    """Permutation p of the difference of within and between means: all permutations of the labels
    where these are few, else a random sample. With 5 and 5 the least p is 2 / 252."""
    everyone = np.array([*a, *b])
    size = len(everyone)
    few = math.comb(size, len(a)) <= most
    if few:
        ways = list(itertools.combinations(range(size), len(a)))
    else:
        ways = [generator.permutation(size)[: len(a)] for _ in range(most)]
    ways = [range(len(a)), *ways]
    one = np.stack([indicator(everyone[list(way)], len(matrix)) for way in ways])
    other = indicator(everyone, len(matrix)) - one
    within = pairs_mean(matrix, one, one) + pairs_mean(matrix, other, other)
    gap = within / 2 - pairs_mean(matrix, one, other)
    return float(np.mean(gap[few:] >= gap[0] - 1e-12))


def holm(p: Sequence[float]) -> Float[np.ndarray, " m"]:
    """p-values corrected for their number (Holm 1979).

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, float)
    order = np.argsort(p)
    raised = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(raised, 1.0)
    return corrected


def over_networks(
    values: Float[np.ndarray, "seeds ..."], repetitions: int = 2000, seed: int = 0
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """The mean over seeds and its 95 % bootstrap interval."""
    values = np.asarray(values, np.float64)
    generator = np.random.default_rng(seed)
    chosen = generator.integers(len(values), size=(repetitions, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), [0.025, 0.975], axis=0)
    return values.mean(axis=0), low, high


def in_words(comparison: Comparison) -> str:
    """The similarity of two kinds with its null and ceiling, and NS where it is meaningful.

    >>> likeness = Likeness(between=0.3, null=0.2, ceiling=0.9, ns=0.14)
    >>> in_words(Comparison(likeness, 0.1, 0.2, 1.0, 0.001))
    '0.30 (null 0.20, ceiling 0.90), NS 0.14 [0.10, 0.20]'
    >>> in_words(Comparison(likeness._replace(ceiling=0.25, ns=2.0), -3.6, 7.9, 1.0, 0.001))
    '0.30 (null 0.20, ceiling 0.25), NS none (ceiling within 0.2 of null)'
    """
    if np.isnan(comparison.likeness.between):
        return "unmatched"
    between, null, ceiling = (f"{x:.2f}" for x in comparison.likeness[:3])
    return f"{between} (null {null}, ceiling {ceiling}), NS {ns_in_words(comparison)}"


def ns_in_words(comparison: Comparison) -> str:
    """NS with its interval, where it is meaningful."""
    if np.isnan(comparison.likeness.between):
        return "unmatched"
    if not comparison.has_ns:
        return f"none (ceiling within {APART} of null)"
    return f"{comparison.likeness.ns:.2f} [{comparison.low:.2f}, {comparison.high:.2f}]"
