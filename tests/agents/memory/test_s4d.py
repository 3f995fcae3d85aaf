"""S4D against the convolution that it is, with the kernel from the continuous system."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.s4d import S4D
from tests.support.naive import check_loop, dense, gelu, sigmoid


def loop(params, x):
    if "input" in params:
        x = dense(x, params["input"])
    a = -np.exp(params["log_minus_a_real"]) + 1j * params["a_imag"]
    c = params["c_re"] + 1j * params["c_im"]
    dt = np.exp(params["log_dt"])
    lag = np.arange(len(x))[:, None, None]
    held = (np.exp(dt * a) - 1) / a  # the integral of exp(a s) over one held step
    kernel = 2 * (c * np.exp(dt * a) ** lag * held).real.sum(axis=1)  # [T, F]
    y = np.stack([(kernel[t::-1] * x[: t + 1]).sum(axis=0) for t in range(len(x))])
    y = gelu(y + params["D"] * x)
    return dense(y, params["value"]) * sigmoid(dense(y, params["gate"]))


@pytest.mark.by_default("recurrent-memory1")
@pytest.mark.parametrize("memory", [S4D(features=5), S4D(features=8, state=4)])
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_is_the_convolution(memory, mode):
    check_loop(memory.clone(mode=mode), loop, length=300)


def test_begins_as_s4d_lin():
    memory = S4D(features=300)
    x, start = jnp.zeros((1, 1, 300)), jnp.zeros((1, 1), bool)
    params = jax.jit(memory.init)(jax.random.key(0), memory.initial_carry(1), x, start)["params"]
    np.testing.assert_allclose(-np.exp(params["log_minus_a_real"]), -0.5, rtol=1e-6)
    np.testing.assert_allclose(params["a_imag"][:, 7], np.pi * np.arange(8), rtol=1e-6)
    dt = np.exp(params["log_dt"])
    assert 0.001 <= dt.min() < 0.0015 and 0.07 < dt.max() <= 0.1
    assert abs(np.median(dt) - 0.01) < 0.003


@pytest.mark.by_default("recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_never_holds_all_states(mode):
    memory = S4D(features=64, mode=mode)
    length = 2048
    x = jax.ShapeDtypeStruct((length, 1, 64), jnp.float32)
    start = jax.ShapeDtypeStruct((length, 1), bool)
    carry = memory.initial_carry(1)
    params = jax.eval_shape(memory.init, jax.random.key(0), carry, x, start)

    def loss(params, x, start):
        return memory.apply(params, carry, x, start)[1].sum()

    compiled = jax.jit(jax.grad(loss)).lower(params, x, start).compile()
    states = 8 * length * 8 * 64
    assert compiled.memory_analysis().temp_size_in_bytes < states
