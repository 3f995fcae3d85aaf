"""The clock and the sine code."""

import jax
import jax.numpy as jnp
import numpy as np

from agents.memory.positions import clock, sines


def test_the_clock_counts_from_the_start():
    start = jax.random.bernoulli(jax.random.key(0), 0.2, (50, 4))
    after, position = jax.jit(clock)(jnp.arange(4), start)
    time = np.arange(4)
    for t in range(50):
        time = np.where(start[t], 0, time)
        np.testing.assert_array_equal(position[t], time)
        time = time + 1
    np.testing.assert_array_equal(after, time)


def test_the_code_is_the_papers():
    code = sines(jnp.arange(2000), 6)
    for i in range(3):
        angle = np.arange(2000) / 10_000 ** (2 * i / 6)
        np.testing.assert_allclose(code[:, i], np.sin(angle), atol=1e-3)
        np.testing.assert_allclose(code[:, 3 + i], np.cos(angle), atol=1e-3)
    assert sines(jnp.arange(3), 5).shape == (3, 5)
