"""minLSTM against the paper's loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.min_lstm import MinLSTM
from tests.support.naive import check_loop, random_params, sigmoid


def loop(params, x):
    projected = x @ params["input"]["kernel"] + params["input"]["bias"]
    forget, into, candidate = np.split(projected, 3, axis=1)
    forget, into = sigmoid(forget), sigmoid(into)
    h, hs = 0.0, []
    for f, i, c in zip(forget, into, candidate, strict=True):
        h = f / (f + i) * h + i / (f + i) * c
        hs.append(h)
    return np.stack(hs)


@pytest.mark.by_default("parallel-30.0", "recurrent-1.0")
@pytest.mark.parametrize("scale", [1.0, 30.0])  # 30: gates open or shut
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(mode, scale):
    check_loop(MinLSTM(features=7, mode=mode), loop, scale=scale)


def test_both_gates_shut():
    """f and i both underflow in float32; their shares do not."""
    memory = MinLSTM(features=4)
    params = random_params(memory, 3)
    params["params"]["input"]["bias"] = jnp.array([-300.0] * 4 + [-300.0] * 4 + [1.0] * 4)
    args = (memory.initial_carry(2), jnp.zeros((9, 2, 3)), jnp.zeros((9, 2), bool))

    def loss(params):
        return memory.apply(params, *args)[1].sum()

    value, grads = jax.jit(jax.value_and_grad(loss))(params)
    np.testing.assert_allclose(value, 8 * np.sum(1 - 0.5 ** np.arange(1, 10)), rtol=1e-5)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(grads))
