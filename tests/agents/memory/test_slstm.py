"""sLSTM against the unstabilised definition, and its range."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.slstm import GATES, SLSTM
from tests.support.naive import check_loop, dense, random_params, sigmoid

HEADS = 2


def loop(params, x):
    """Equations 8 to 14 of the paper, with c, n as they are: float64 has room for exp."""
    inputs = {gate: dense(x, params[gate]) for gate in GATES}
    features = inputs["input"].shape[1]
    h, c, n = np.zeros(features), np.zeros(features), np.zeros(features)
    ys = []
    for t in range(len(x)):
        of_h = {
            gate: np.concatenate(
                [u @ blocks for u, blocks in zip(h.reshape(HEADS, -1), heads, strict=True)]
            )
            for gate, heads in zip(GATES, params["recurrent"], strict=True)
        }
        gates = {gate: inputs[gate][t] + of_h[gate] for gate in GATES}
        put, forget = np.exp(gates["input"]), sigmoid(gates["forget"])
        c = forget * c + put * np.tanh(gates["candidate"])
        n = forget * n + put
        h = sigmoid(gates["output"]) * c / n
        y = h.reshape(HEADS, -1)
        y = y / np.sqrt((y**2).mean(axis=1, keepdims=True) + 1e-6)
        ys.append((y * params["norm"]["scale"]).ravel())
    return np.stack(ys)


@pytest.mark.by_default("5.0")
@pytest.mark.parametrize("scale", [1.0, 5.0])  # 5: input gates from exp(-30) to exp(30)
def test_equals_the_loop(scale):
    check_loop(SLSTM(features=12, heads=HEADS), loop, scale=scale, tolerance=1e-4)


@pytest.mark.by_default("500.0")
@pytest.mark.parametrize("log_input", [-500.0, -80.0, 80.0, 500.0])
def test_gates_beyond_the_range_of_float32(log_input):
    memory = SLSTM(features=8, heads=HEADS)
    params = random_params(memory, 3)
    kernel = params["params"]["input"]["kernel"].at[0].set(log_input)
    params["params"]["input"]["kernel"] = kernel
    x = jax.random.normal(jax.random.key(0), (70, 1, 3)).at[:, :, 0].set(0.0)
    x = x.at[jnp.array([0, 20, 21]), :, 0].set(1.0).at[40:60, :, 0].set(-1.0)

    def loss(params):
        carry, y = memory.apply(params, memory.initial_carry(1), x, jnp.zeros((70, 1), bool))
        return jnp.square(y).sum(), (carry, y)

    grads, (carry, y) = jax.jit(jax.grad(loss, has_aux=True))(params)
    for leaf in jax.tree.leaves((grads, carry, y)):
        assert np.isfinite(leaf).all()


def test_heads_do_not_mix_over_time():
    """What one head holds never reaches another's state."""
    memory = SLSTM(features=8, heads=HEADS)
    params = random_params(memory, 3)
    x, start = jnp.ones((5, 1, 3)), jnp.zeros((5, 1), bool)

    def states(h):
        zeros = jnp.zeros((1, 8))
        return memory.apply(params, (h[None], zeros, zeros, zeros), x, start)[0][1][0]

    jacobian = jax.jit(jax.jacrev(states))(jnp.zeros(8))
    assert (jacobian[:4, 4:] == 0).all() and (jacobian[4:, :4] == 0).all()
    assert (jacobian[:4, :4] != 0).all()
