"""The Stable Hadamard Memory against the definition; its rows are the same in every replay."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.shm import SHM, hashed
from tests.support.naive import check_loop, dense, random_params, sigmoid


def loop(params, x):
    theta = params["theta"]
    size = theta.shape[1]
    matrix = np.zeros((size, size))
    rows = np.asarray(hashed(jnp.arange(len(x)))) % len(theta)
    ys = []
    for t in range(len(x)):
        query, key = (np.maximum(dense(x[t], params[name]), 0) for name in ("query", "key"))
        query, key = query / (1e-5 + query.sum()), key / (1e-5 + key.sum())
        strength = sigmoid(dense(x[t], params["strength"]))
        kept = 1 + np.tanh(np.outer(theta[rows[t]], dense(x[t], params["gate"])))
        matrix = matrix * kept + np.outer(strength * dense(x[t], params["value"]), key)
        y = matrix @ query + dense(x[t], params["shortcut"])
        ys.append(dense(y, params["output"]))
    return np.stack(ys)


def test_equals_the_loop():
    check_loop(SHM(features=6, size=4, rows=8), loop, length=150, tolerance=1e-4)


def test_rows_are_hit_equally_and_without_order():
    rows = np.asarray(hashed(jnp.arange(12_800))) % 128
    counts = np.bincount(rows, minlength=128)
    assert (counts > 50).all() and (counts < 160).all()  # 100 +- 5 standard deviations
    for lag in (1, 2, 7, 128):
        assert abs(np.corrcoef(rows[:-lag], rows[lag:])[0, 1]) < 0.05


def test_neither_vanishes_nor_explodes():
    """What proposition 5 promises of the product of a thousand gates, at the initial weights."""
    memory = SHM(features=8)
    x, start = jax.random.normal(jax.random.key(0), (1024, 4, 8)), jnp.zeros((1024, 4), bool)
    params = jax.jit(memory.init)(jax.random.key(1), memory.initial_carry(4), x[:1], start[:1])
    carry, _ = jax.jit(memory.apply)(params, memory.initial_carry(4), x, start)
    assert 1e-6 < np.abs(carry.state).max() < 1e4


def test_repeated_inputs_can_grow_without_limit():
    """As the caution says: proposition 5 does not cover them. What grows is what the rows of
    theta do not cancel, and the next start ends it."""
    memory = SHM(features=8)
    assert "on inputs that repeat" in memory.caution
    apply = jax.jit(memory.apply)
    x, start = jnp.ones((1024, 4, 8)), jnp.zeros((1024, 4), bool)
    params = jax.jit(memory.init)(jax.random.key(1), memory.initial_carry(4), x[:1], start[:1])
    empty = memory.initial_carry(4)
    grown, _ = apply(params, empty, x, start)
    assert np.abs(grown.state).max() > 1e4
    centred = jax.tree.map(jnp.copy, params)
    theta = params["params"]["theta"]
    centred["params"]["theta"] = theta - theta.mean(axis=0)
    assert np.abs(apply(centred, empty, x, start)[0].state).max() < 1e4
    afresh = apply(params, grown, x, start.at[0].set(True))
    jax.tree.map(np.testing.assert_array_equal, afresh, apply(params, empty, x, start))


@pytest.mark.slow  # by default: the loop, which draws nothing
def test_a_replay_is_the_rollout():
    """Two applications of the same parameters to the same data are equal bit by bit: no key."""
    memory = SHM(features=8, size=4)
    params = random_params(memory, 3)
    x, start = jax.random.normal(jax.random.key(0), (50, 2, 3)), jnp.zeros((50, 2), bool)
    apply = jax.jit(memory.apply)
    _, first = apply(params, memory.initial_carry(2), x, start)
    _, second = apply(params, memory.initial_carry(2), x, start)
    np.testing.assert_array_equal(first, second)
