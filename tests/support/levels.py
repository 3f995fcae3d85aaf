"""For which environments a test runs, and how near two of their programs come to one another."""

import chex
import jax
import pytest

import popjax

IDS = list(popjax.ENVS)
ONE_LEVEL = [
    pytest.param(name, marks=[] if name.endswith("Easy") else pytest.mark.slow) for name in IDS
]


def check_close(tree, other):
    """Integers and flags equal, reals to rounding (a compiler may reorder them)."""
    tree, other = jax.device_get((tree, other))
    chex.assert_trees_all_equal_shapes_and_dtypes(tree, other)
    chex.assert_trees_all_close(tree, other, rtol=1e-5, atol=1e-6)
