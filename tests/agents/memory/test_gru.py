"""The GRU against its equations, and against flax's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.gru import GRU
from tests.support.naive import check_loop, dense, random_params, sigmoid

FLAX = {"r": "reset", "z": "update", "n": "candidate"}


def loop(params, x):
    h, ys = np.zeros(8), []
    for x_t in x:
        u_r, u_u, u_n = np.split(h @ params["recurrent"], 3)
        reset = sigmoid(dense(x_t, params["reset"]) + u_r)
        update = sigmoid(dense(x_t, params["update"]) + u_u)
        new = np.tanh(dense(x_t, params["candidate"]) + reset * (u_n + params["candidate_bias"]))
        h = (1 - update) * new + update * h
        ys.append(h)
    return np.stack(ys)


def test_equals_the_loop():
    check_loop(GRU(features=8), loop)


@pytest.mark.slow
def test_equals_flax():
    memory = GRU(features=8)
    params = random_params(memory, 5)["params"]
    cell = {f"i{name}": params[gate] for name, gate in FLAX.items()}
    for name, kernel in zip(FLAX, jnp.split(params["recurrent"], 3, axis=1), strict=True):
        cell[f"h{name}"] = {"kernel": kernel}
    cell["hn"]["bias"] = params["candidate_bias"]
    x = jax.random.normal(jax.random.key(2), (30, 2, 5))
    want = jax.jit(nn.RNN(nn.GRUCell(8), time_major=True).apply)({"params": {"cell": cell}}, x)
    start = jnp.zeros((30, 2), bool)
    _, got = jax.jit(memory.apply)({"params": params}, memory.initial_carry(2), x, start)
    np.testing.assert_allclose(got, want, atol=1e-5)
