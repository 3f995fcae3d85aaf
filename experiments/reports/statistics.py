"""Aggregates over seeds and environments, with intervals.

Agarwal et al. 2021, "Deep reinforcement learning at the edge of the statistical precipice" (arXiv
2108.13264): the interquartile mean, the optimality gap, performance profiles, the probability of
improvement, and stratified-bootstrap intervals that resample the seeds of each environment.

A stratum is an environment: the scores of its seeds, `[seeds]`. Strata may differ in length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Strata = Sequence[np.ndarray]


def iqm(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of the middle half of the scores, as SciPy's 25 % trimmed mean.

    >>> float(iqm(np.array([0.0, 1.0, 2.0, 100.0])))
    1.5
    """
    scores = np.sort(scores, axis=axis)
    n = scores.shape[axis]
    cut = int(0.25 * n)
    return np.take(scores, range(cut, n - cut), axis=axis).mean(axis=axis)


def optimality_gap(scores: np.ndarray, goal: float = 1.0) -> np.ndarray:
    """The mean shortfall of the scores `[..., runs]` from a goal; exceeding it does not count.

    >>> float(optimality_gap(np.array([0.5, 3.0])))
    0.25
    """
    return goal - np.minimum(scores, goal).mean(axis=-1)


def profile(scores: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Share of the scores `[..., runs]` above each threshold: `[..., thresholds]`.

    >>> profile(np.array([0.0, 0.5, 1.0, 1.0]), np.array([0.2, 0.9])).tolist()
    [0.75, 0.5]
    """
    return np.stack([(scores > threshold).mean(axis=-1) for threshold in thresholds], axis=-1)


def chance_of_more(xs: np.ndarray, ys: np.ndarray) -> np.ndarray:
    """P(X > Y) + P(X = Y) / 2 for one score of `xs`, `[..., m]`, and one of `ys`, `[..., n]`: the
    Mann-Whitney statistic over m n.

    >>> float(chance_of_more(np.array([1.0, 2.0]), np.array([1.0, 0.0])))
    0.875
    """
    x, y = xs[..., :, None], ys[..., None, :]
    return ((x > y) + 0.5 * (x == y)).mean(axis=(-2, -1))


def probability_of_improvement(xs: Strata, ys: Strata) -> np.ndarray:
    """`chance_of_more`, averaged over the strata; both sides have the same ones, in one order.

    >>> better, worse = np.array([1.0, 2.0]), np.array([0.0, 1.0])
    >>> float(probability_of_improvement([better, worse], [worse, worse]))  # 0.875 and 0.5
    0.6875
    """
    return np.mean([chance_of_more(x, y) for x, y in zip(xs, ys, strict=True)], axis=0)


def pooled(strata: Strata) -> np.ndarray:
    """All runs of all strata: `[..., runs]`.

    >>> pooled([np.array([1.0, 2.0]), np.array([3.0])]).tolist()
    [1.0, 2.0, 3.0]
    """
    return np.concatenate(strata, axis=-1)


def resampled(strata: Strata, repetitions: int, generator: np.random.Generator) -> list[np.ndarray]:
    """Each stratum resampled from its own seeds: `[repetitions, seeds]` each.

    >>> [draws] = resampled([np.array([1.0, 2.0, 3.0])], 5, np.random.default_rng(0))
    >>> draws.shape, set(draws.ravel().tolist()) <= {1.0, 2.0, 3.0}
    ((5, 3), True)
    """
    return [
        np.asarray(stratum)[generator.integers(len(stratum), size=(repetitions, len(stratum)))]
        for stratum in strata
    ]


def bounds(values: np.ndarray, level: float = 0.95) -> np.ndarray:
    """The percentile interval of `[repetitions, ...]` bootstrap values: `[2, ...]`.

    >>> bounds(np.linspace(0, 1, 101), level=0.9).round(3).tolist()
    [0.05, 0.95]
    """
    tail = (1 - level) / 2
    return np.quantile(values, [tail, 1 - tail], axis=0)


def interval(
    runs: Strata,
    repetitions: int = 2000,
    level: float = 0.95,
    seed: int = 0,
    measure: Callable[[np.ndarray], np.ndarray] = iqm,
) -> tuple[float, float]:
    """Stratified-bootstrap interval of a measure over all runs of all strata.

    runs: for each stratum (environment) the scores of its seeds, `[seeds]`.
    measure: of `[repetitions, runs]` scores, along the last axis; the interquartile mean.

    >>> interval([np.ones(5), np.ones(5)])
    (1.0, 1.0)
    >>> low, high = interval([np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])])
    >>> low < 0.5 < high
    True
    """
    draws = resampled(runs, repetitions, np.random.default_rng(seed))
    low, high = bounds(measure(pooled(draws)), level)
    return float(low), float(high)


def profile_band(
    runs: Strata, thresholds: np.ndarray, repetitions: int = 2000, seed: int = 0
) -> np.ndarray:
    """The pointwise 95 % interval of `profile`: `[2, thresholds]`.

    >>> profile_band([np.array([0.0, 1.0, 1.0, 1.0])], np.array([-0.5, 0.5])).shape
    (2, 2)
    """
    draws = resampled(runs, repetitions, np.random.default_rng(seed))
    return bounds(profile(pooled(draws), thresholds))


def improvement_interval(
    xs: Strata, ys: Strata, repetitions: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Interval of the probability of improvement; the seeds of both sides are resampled
    independently.

    >>> improvement_interval([np.array([2.0, 3.0])], [np.array([0.0, 1.0])])
    (1.0, 1.0)
    """
    generator = np.random.default_rng(seed)
    draws = (resampled(side, repetitions, generator) for side in (xs, ys))
    low, high = bounds(probability_of_improvement(*draws), level)
    return float(low), float(high)


def average(values: np.ndarray) -> np.ndarray:
    """The mean over the last axis: a measure beside `iqm`.

    >>> average(np.array([0.0, 1.0])).item()
    0.5
    """
    return values.mean(axis=-1)


def difference(
    a: np.ndarray,
    b: np.ndarray,
    measure: Callable[[np.ndarray], np.ndarray] = iqm,
    repetitions: int = 4000,
    seed: int = 0,
) -> tuple[float, float, float]:
    """The difference of a measure between two samples of seeds, with its 95 % interval: the seeds
    of both are resampled.

    >>> difference(np.ones(4), np.zeros(4))
    (1.0, 1.0, 1.0)
    """
    generator = np.random.default_rng(seed)
    draws = [
        measure(values[generator.integers(len(values), size=(repetitions, len(values)))])
        for values in (a, b)
    ]
    low, high = np.quantile(draws[0] - draws[1], [0.025, 0.975])
    return float(measure(a) - measure(b)), float(low), float(high)


def mean_interval(values: np.ndarray, repetitions: int = 4000) -> tuple[float, float]:
    """95 % bootstrap interval of the mean over seeds.

    >>> mean_interval(np.ones(4))
    (1.0, 1.0)
    """
    generator = np.random.default_rng(0)
    drawn = values[generator.integers(len(values), size=(repetitions, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def format_iqm(values: np.ndarray, digits: int = 2) -> str:
    """The interquartile mean over seeds and its bootstrap interval.

    >>> format_iqm(np.ones(5))
    '1.00 [1.00, 1.00]'
    """
    low, high = interval([values])
    return f"{iqm(values):.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def format_spread(values: np.ndarray, digits: int = 2) -> str:
    """The mean over seeds and their standard deviation, if there are several.

    >>> format_spread(np.array([1.0, 1.0]))
    '1.00 ± 0.00'
    """
    return f"{values.mean():.{digits}f} ± {np.std(values, ddof=min(1, len(values) - 1)):.{digits}f}"
