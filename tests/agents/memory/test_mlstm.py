"""mLSTM against the unstabilised definition, and its range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.mlstm import MLSTM
from tests.support.naive import check_loop, dense, random_params, sigmoid

HEADS = 2


def loop(params, x):
    """Equations 19 to 27 of the paper, with C, n as they are: float64 has room for exp."""
    query, key, value = np.split(dense(x, params["query_key_value"]), 3, axis=-1)
    width = query.shape[1] // HEADS
    log_input, log_forget = np.split(dense(x, params["gates"]), 2, axis=-1)
    output = sigmoid(dense(x, params["output_gate"]))
    matrix, n = np.zeros((HEADS, width, width)), np.zeros((HEADS, width))
    ys = []
    for t in range(len(x)):
        h = []
        for head in range(HEADS):
            d = slice(head * width, (head + 1) * width)
            k = key[t, d] / np.sqrt(width)
            forget, put = sigmoid(log_forget[t, head]), np.exp(log_input[t, head])
            matrix[head] = forget * matrix[head] + put * np.outer(value[t, d], k)
            n[head] = forget * n[head] + put * k
            out = matrix[head] @ query[t, d] / max(abs(n[head] @ query[t, d]), 1)
            out = out / np.sqrt((out**2).mean() + 1e-6)
            h.append(out * params["norm"]["scale"][head])
        ys.append(output[t] * np.concatenate(h))
    return dense(np.stack(ys), params["output"])


@pytest.mark.by_default("5.0-parallel", "5.0-recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
@pytest.mark.parametrize("scale", [1.0, 5.0])  # 5: input gates from exp(-30) to exp(30)
def test_equals_the_loop(mode, scale):
    memory = MLSTM(features=12, heads=HEADS, mode=mode)
    check_loop(memory, loop, length=150, scale=scale, tolerance=2e-4)


@pytest.mark.slow  # by default: it equals the loop
@pytest.mark.by_default("500.0-parallel")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
@pytest.mark.parametrize("log_input", [-500.0, -80.0, 80.0, 500.0])
def test_gates_beyond_the_range_of_float32(mode, log_input):
    """Input gates of exp(+-500), with a small one after and before the large: all stays finite."""
    memory = MLSTM(features=8, heads=1, mode=mode)
    params = random_params(memory, 3)
    kernel = params["params"]["gates"]["kernel"].at[0, 0].set(log_input)
    params["params"]["gates"]["kernel"] = kernel
    x = jax.random.normal(jax.random.key(0), (70, 1, 3)).at[:, :, 0].set(0.0)
    x = x.at[jnp.array([1, 20, 21, 66]), :, 0].set(1.0).at[40:60, :, 0].set(-1.0)

    def loss(params):
        carry, y = memory.apply(params, memory.initial_carry(1), x, jnp.zeros((70, 1), bool))
        return jnp.square(y).sum(), (carry, y)

    grads, (carry, y) = jax.jit(jax.grad(loss, has_aux=True))(params)
    for leaf in jax.tree.leaves((grads, carry, y)):
        assert np.isfinite(leaf).all()


@pytest.mark.slow
def test_the_same_carry_in_both_modes():
    """m is the running maximum itself, not one a chunk."""
    x, start = 3 * jax.random.normal(jax.random.key(0), (100, 2, 4)), jnp.zeros((100, 2), bool)
    start = start.at[70, 0].set(True)
    carries = []
    for mode in ("parallel", "recurrent"):
        memory = MLSTM(features=8, heads=HEADS, mode=mode)
        params = random_params(memory, 4)
        carries.append(jax.jit(memory.apply)(params, memory.initial_carry(2), x, start)[0])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), *carries)
