"""The LSTM against its equations, and against flax's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from agents.memory.lstm import GATES, LSTM
from tests.support.naive import check_loop, dense, random_params, sigmoid


def loop(params, x):
    h = c = np.zeros(8)
    ys = []
    for x_t in x:
        from_h = dict(zip(GATES, np.split(h @ params["recurrent"], 4), strict=True))
        i, f, g, o = (dense(x_t, params[gate]) + from_h[gate] for gate in GATES)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        ys.append(h)
    return np.stack(ys)


def test_equals_the_loop():
    check_loop(LSTM(features=8), loop)


def test_equals_flax():
    memory = LSTM(features=8)
    params = random_params(memory, 5)["params"]
    recurrent = jnp.split(params["recurrent"], 4, axis=1)
    cell = {f"i{name[0]}": {"kernel": params[gate]["kernel"]} for name, gate in flax_names}
    for (name, gate), kernel in zip(flax_names, recurrent, strict=True):
        cell[f"h{name[0]}"] = {"kernel": kernel, "bias": params[gate]["bias"]}
    x = jax.random.normal(jax.random.key(2), (30, 2, 5))
    rnn = nn.RNN(nn.LSTMCell(8), time_major=True)
    want = jax.jit(rnn.apply)({"params": {"cell": cell}}, x)
    start = jnp.zeros((30, 2), bool)
    _, got = jax.jit(memory.apply)({"params": params}, memory.initial_carry(2), x, start)
    np.testing.assert_allclose(got, want, atol=1e-5)


flax_names = list(zip("ifgo", GATES, strict=True))


def test_the_forget_gate_begins_open():
    params = jax.jit(LSTM(8).init)(
        jax.random.key(0), LSTM(8).initial_carry(1), jnp.zeros((1, 1, 5)), jnp.zeros((1, 1), bool)
    )["params"]
    assert (params["forget"]["bias"] == 1).all() and (params["input"]["bias"] == 0).all()
