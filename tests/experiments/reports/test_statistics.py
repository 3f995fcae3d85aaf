"""Aggregates and their intervals: by hand, by counting all resamplings, and beside rliable."""

import itertools
import warnings

import numpy as np
import pytest
from scipy import stats

from experiments.reports.statistics import (
    chance_of_more,
    improvement_interval,
    interval,
    iqm,
    optimality_gap,
    pooled,
    probability_of_improvement,
    profile,
    profile_band,
    resampled,
)

GENERATOR = np.random.default_rng(0)
SEEDS, TASKS = 6, 8
OURS = GENERATOR.normal(0.6, 0.3, (TASKS, SEEDS))
OTHER = GENERATOR.normal(0.4, 0.3, (TASKS, SEEDS))
TAUS = np.linspace(-0.2, 1.2, 8)


def test_measures_are_those_of_scipy():
    assert iqm(OURS.ravel()) == pytest.approx(stats.trim_mean(OURS, 0.25, axis=None))
    for x, y in zip(OURS, OTHER, strict=True):
        u = stats.mannwhitneyu(x, y).statistic
        assert chance_of_more(x, y) == pytest.approx(u / SEEDS**2)


def test_a_tie_is_half_an_improvement():
    assert chance_of_more(np.ones(3), np.ones(5)) == 0.5
    assert chance_of_more(np.array([1.0, 1.0]), np.array([1.0, 0.0])) == 0.75


def test_each_stratum_is_drawn_from_itself_with_its_own_length():
    strata = [np.array([1.0, 2.0, 3.0]), np.array([10.0]), np.array([20.0, 30.0])]
    draws = resampled(strata, 500, np.random.default_rng(0))
    assert [draw.shape for draw in draws] == [(500, 3), (500, 1), (500, 2)]
    for stratum, draw in zip(strata, draws, strict=True):
        assert set(np.unique(draw)) == set(stratum)


def test_the_interval_is_that_of_all_resamplings():
    """With 3 seeds of 2 tasks there are 3^6 equally likely resamplings: count them all."""
    strata = [np.array([0.0, 0.3, 1.0]), np.array([0.1, 0.2, 0.9])]
    every = [list(itertools.product(stratum, repeat=3)) for stratum in strata]
    values = [np.mean([*a, *b]) for a, b in itertools.product(*every)]
    exact = np.quantile(values, [0.025, 0.975])
    ours = interval(strata, repetitions=40_000, measure=lambda scores: scores.mean(axis=-1))
    np.testing.assert_allclose(ours, exact, atol=0.035)  # the quantiles lie on a grid of 1/30
    assert abs(np.mean(values) - pooled(strata).mean()) < 1e-12


def test_equal_seeds_leave_no_doubt():
    strata = [np.full(4, 0.25), np.full(2, 0.75)]
    assert interval(strata) == (iqm(pooled(strata)), iqm(pooled(strata)))
    assert improvement_interval(strata, strata) == (0.5, 0.5)


@pytest.fixture(scope="module")
def rliable():
    """The reference implementation and its measures, whose dependencies warn when imported."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = pytest.importorskip("rliable.library")
        metrics = pytest.importorskip("rliable.metrics")
    return library, metrics


def test_points_and_intervals_are_those_of_rliable(rliable):
    """The points to rounding; the ends of the intervals to what few repetitions leave open."""
    library, metrics = rliable
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        np.random.seed(0)  # noqa: NPY002 (rliable draws from the global generator)
        points, ends = library.get_interval_estimates(
            {"ours": OURS.T},
            lambda runs: np.array(
                [metrics.aggregate_iqm(runs), metrics.aggregate_optimality_gap(runs)]
            ),
            reps=1000,
        )
        profiles, bands = library.create_performance_profile({"ours": OURS.T}, TAUS, reps=500)
        better, better_ends = library.get_interval_estimates(
            {"pair": (OURS.T, OTHER.T)},
            lambda x, y: np.array([metrics.probability_of_improvement(x, y)]),
            reps=200,
        )
    strata = list(OURS)
    for i, measure in enumerate((iqm, optimality_gap)):
        assert measure(OURS.ravel()) == pytest.approx(points["ours"][i])
        np.testing.assert_allclose(interval(strata, measure=measure), ends["ours"][:, i], atol=0.02)
    np.testing.assert_allclose(profile(OURS.ravel(), TAUS), profiles["ours"])
    np.testing.assert_allclose(profile_band(strata, TAUS), bands["ours"], atol=0.045)
    ours = probability_of_improvement(strata, list(OTHER))
    assert ours == pytest.approx(better["pair"][0])
    ends = improvement_interval(strata, list(OTHER))
    np.testing.assert_allclose(ends, better_ends["pair"].ravel(), atol=0.04)
