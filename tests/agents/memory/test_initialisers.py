"""Orthogonal weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.initialisers import orthogonal, orthogonal_blocks


@pytest.mark.by_default("shape2", "shape1")
@pytest.mark.parametrize("shape", [(64, 64), (128, 4), (3, 50)])
def test_the_shorter_side_is_orthonormal(shape):
    keys = jax.random.split(jax.random.key(0), 20)
    weights = jax.jit(jax.vmap(lambda key: orthogonal(2.0)(key, shape)))(keys)
    gram = jnp.einsum("nij,nkj->nik" if shape[0] <= shape[1] else "nji,njk->nik", weights, weights)
    np.testing.assert_allclose(gram, np.tile(4 * np.eye(min(shape)), (20, 1, 1)), atol=1e-4)


def test_blocks_are_orthogonal_one_by_one():
    weight = orthogonal_blocks(jax.random.key(0), (16, 48))
    for block in jnp.split(weight, 3, axis=1):
        np.testing.assert_allclose(block @ block.T, np.eye(16), atol=1e-4)


def test_no_direction_is_preferred():
    """The first entry of a uniform rotation of the sphere in n dimensions has variance 1/n."""
    keys = jax.random.split(jax.random.key(1), 4000)
    entries = jax.jit(jax.vmap(lambda key: orthogonal()(key, (8, 8))[0, 0]))(keys)
    assert abs(entries.mean()) < 5 / np.sqrt(8 * 4000)
    np.testing.assert_allclose(entries.var(), 1 / 8, rtol=0.1)
