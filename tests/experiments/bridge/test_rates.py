"""Learning rates are tried alike for all, on seeds that no result reports."""

from dataclasses import replace

import numpy as np
import pytest

from experiments.bridge.rates import FIRST_SEED, best, grid, lanes
from experiments.bridge.verdict import conditions as study
from experiments.bridge.verdict.config import PRESETS, Condition


def table(**curves):
    """From each rate's curve over three looks."""
    rates = [float(rate.removeprefix("at_").replace("_", ".")) for rate in curves]
    right = np.array(list(curves.values()))
    return {
        "rate": np.repeat(rates, right.shape[1]),
        "update": np.tile([1, 10, 100], len(rates)),
        "right": right.ravel(),
    }


def test_every_rate_meets_the_same_tuning_seeds():
    run = lanes((1e-3, 1e-2, 1e-1), trials=2)
    assert run.seeds == (FIRST_SEED, FIRST_SEED + 1) * 3
    np.testing.assert_allclose(run.rates, [1e-3, 1e-3, 1e-2, 1e-2, 1e-1, 1e-1])


@pytest.mark.parametrize(
    "curves, fastest, middle",
    [
        ({"at_0_01": [0.2, 0.5, 1.0], "at_0_1": [0.6, 0.9, 0.9]}, 0.01, 0.01),  # the end counts
        ({"at_0_01": [0.2, 0.5, 1.0], "at_0_1": [0.6, 0.9, 0.995]}, 0.1, 0.01),
        ({"at_0_01": [0.2, 0.3, 0.4], "at_0_1": [0.9, 0.9, np.nan]}, 0.01, 0.01),  # it diverged
        ({"at_0_01": [0, 0.5, 1], "at_0_1": [0, 0.6, 1], "at_0_3": [0, 0.9, 1]}, 0.3, 0.1),
    ],
)
def test_the_best_rate(curves, fastest, middle):
    assert best(table(**curves), "right", "fastest") == fastest
    assert best(table(**curves), "right", "middle") == middle


def test_the_table_says_how_much_hangs_on_the_rate():
    tried = {"a": table(at_0_01=[0.2, 0.5, 1.0], at_0_1=[0, 0, 0.25])}
    found = grid(tried, {"a": "A"}, "right", "middle")
    assert found.headings == ("", "0.01", "0.1") and found.rows == [("A", "1.000*", "0.250")]


@pytest.mark.slow
def test_a_run_beside_others_is_the_run_alone():
    """Trials and reporting runs share a program: the same seed at the same rate learns the same."""
    setup = replace(PRESETS["smoke"], rates=(1e-3, 1e-2))
    part = Condition(2, "label", 8)
    tried = study.try_rates(setup, part, list)
    seen = study.looked_at(setup, part, (FIRST_SEED,), [1e-2], list)
    alone = np.concatenate([right for _, _, right, _ in seen])
    np.testing.assert_allclose(tried["right"][tried["rate"] == np.float32(1e-2)], alone, rtol=1e-5)
    assert not np.allclose(tried["right"][tried["rate"] == np.float32(1e-3)], alone, rtol=1e-5)
