"""The IndRNN against its equation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.ind_rnn import IndRNN
from tests.support.naive import check_loop, dense


@pytest.mark.by_default("1")
@pytest.mark.parametrize("layers", [1, 2])
def test_equals_the_loop(layers):
    def loop(params, x):
        for i in range(layers):
            weight = np.clip(params[f"recurrent_{i}"], -(2 ** (1 / 10)), 2 ** (1 / 10))
            h, ys = np.zeros(8), []
            for x_t in x:
                h = np.maximum(0, dense(x_t, params[f"layer_{i}"]) + weight * h)
                ys.append(h)
            x = np.stack(ys)
        return x

    check_loop(IndRNN(features=8, layers=layers, length=10), loop)


def test_a_weight_beyond_the_bound_can_come_back():
    memory = IndRNN(features=1, layers=1)
    x, start = jnp.ones((50, 1, 1)), jnp.zeros((50, 1), bool)
    params = jax.jit(memory.init)(jax.random.key(0), memory.initial_carry(1), x, start)["params"]

    @jax.jit
    @jax.value_and_grad
    def last(weight):
        given = {"params": params | {"recurrent_0": weight}}
        return memory.apply(given, memory.initial_carry(1), x, start)[1][-1, 0, 0]

    at_bound, _ = last(jnp.array([2 ** (1 / 1024)]))
    beyond, gradient = last(jnp.array([3.0]))
    np.testing.assert_allclose(beyond, at_bound, rtol=1e-5)
    assert gradient[0] > 0
