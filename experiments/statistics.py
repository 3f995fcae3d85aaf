"""Aggregates over seeds and environments, with intervals.

Agarwal et al. 2021 (arXiv 2108.13264): the interquartile mean, and stratified-bootstrap intervals
that resample the seeds of each environment.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def iqm(scores: np.ndarray, axis: int = -1) -> np.ndarray:
    """Mean of the middle half of the scores, as SciPy's 25 % trimmed mean.

    >>> float(iqm(np.array([0.0, 1.0, 2.0, 100.0])))
    1.5
    """
    scores = np.sort(scores, axis=axis)
    n = scores.shape[axis]
    cut = int(0.25 * n)
    return np.take(scores, range(cut, n - cut), axis=axis).mean(axis=axis)


def interval(
    runs: Sequence[np.ndarray], repetitions: int = 2000, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Stratified-bootstrap interval of the interquartile mean over all runs of all strata.

    runs: for each stratum (environment) the scores of its seeds, `[seeds]`.
    """
    generator = np.random.default_rng(seed)
    resampled = [
        np.asarray(stratum)[generator.integers(len(stratum), size=(repetitions, len(stratum)))]
        for stratum in runs
    ]
    values = iqm(np.concatenate(resampled, axis=1))
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
