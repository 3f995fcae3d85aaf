"""What the tests of the experiments share."""

import jax
import pytest


@pytest.fixture(scope="module")
def quickly_compiled():
    """Programs that run for a moment are compiled without the dear optimisations: half the time,
    the same numbers."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)
