"""memax 0.1.1 beside our own models, on one input with one set of weights."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory import MEMORIES

F = 8
KEY = jax.random.key(0)
X = jax.random.normal(jax.random.key(1), (40, 2, F))
START = jnp.zeros((40, 2), bool).at[jnp.array([0, 13, 14, 30]), 0].set(True).at[21, 1].set(True)
NO_POSITION = {"position": {"share": jnp.float32(-1e3)}}
MODES = pytest.mark.parametrize("mode", ["parallel", "recurrent"])


@eqx.filter_jit
def theirs(model, x=X):
    """The outputs `[T, B, F]` of a model that reads one sequence."""
    read = jax.vmap(lambda x, s: model(model.initialize_carry(), (x, s))[1], in_axes=1, out_axes=1)
    return read(x, START)


def ours(name, params, **options):
    memory = MEMORIES[name](F, **options)
    return jax.jit(memory.apply)({"params": params}, memory.initial_carry(2), X, START)[1]


def check(got, want, tolerance=1e-5):
    want = np.asarray(want)
    assert got.shape == want.shape and want.std() > 0
    np.testing.assert_allclose(got, want, rtol=0, atol=tolerance * np.abs(want).max())


def replace(model, where, *values):
    return eqx.tree_at(where, model, values)


def layer(linear, sign=1):
    bias = {} if linear.bias is None else {"bias": sign * linear.bias}
    return {"kernel": sign * linear.weight.T} | bias


def side_by_side(*layers):
    return {k: jnp.concatenate([part[k] for part in layers], axis=-1) for k in layers[0]}


def every_step(function, x=X):
    return jax.vmap(jax.vmap(function))(x)
