"""S5 against the full system with all its conjugate pairs, discretised by a matrix exponential."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from agents.memory import hippo
from agents.memory.s5 import S5
from tests.support.naive import check_loop, gelu, sigmoid


def loop(params, x):
    if "input" in params:
        x = x @ params["input"]["kernel"] + params["input"]["bias"]
    half = len(params["frequency"])
    value = -np.exp(params["log_rate"]) + 1j * params["frequency"]
    delta = np.exp(params["log_delta"])
    b = (params["B"][:, :half] + 1j * params["B"][:, half:]).T
    c = (params["C"][:half] - 1j * params["C"][half:]).T / 2
    value, delta = np.append(value, value.conj()), np.append(delta, delta)
    b, c = np.vstack([b, b.conj()]), np.hstack([c, c.conj()])

    # one step of length delta of dh/dt = A h + B u with constant u, each row at its own delta
    a, width = np.diag(value), x.shape[1]
    system = np.block([[a, b], [np.zeros((width, 2 * half + width))]])
    steps = [scipy.linalg.expm(system * d)[i] for i, d in enumerate(delta)]
    steps = np.stack(steps)
    h, ys = np.zeros(2 * half, complex), []
    for u in x:
        h = steps[:, : 2 * half] @ h + steps[:, 2 * half :] @ u
        y = c @ h
        np.testing.assert_allclose(y.imag, 0, atol=1e-9)
        y = gelu(y.real + params["D"] * u)
        ys.append(y * sigmoid(y @ params["output"]["kernel"] + params["output"]["bias"]))
    return np.stack(ys)


@pytest.mark.by_default("recurrent-memory1")
@pytest.mark.parametrize("memory", [S5(features=8), S5(features=5, state=12, blocks=2)])
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(memory, mode):
    check_loop(memory.clone(mode=mode), loop)


def begun(memory):
    x = jnp.zeros((1, 1, memory.features))
    args = (memory.initial_carry(1), x, jnp.zeros((1, 1), bool))
    return jax.jit(memory.init)(jax.random.key(0), *args)["params"]


def test_begins_at_hippo():
    params = begun(S5(features=32, blocks=2))
    values, _ = hippo.eigen(16)
    value = -np.exp(params["log_rate"]) + 1j * np.asarray(params["frequency"])
    np.testing.assert_allclose(value, np.tile(values, 2), rtol=1e-5)


def test_input_matrix_is_a_real_one_turned():
    """B in the eigenbasis of HiPPO-N: turned back, with its conjugates, it is real."""
    memory = S5(features=32, blocks=2)
    b = np.asarray(begun(memory)["B"])
    b = (b[:, :16] + 1j * b[:, 16:]).T.reshape(2, 8, 32)
    _, vectors = hippo.eigen(16)
    back = 2 * (vectors @ b).real
    np.testing.assert_allclose(vectors.conj().T @ back, b, atol=1e-5)
    assert abs(back.var() * 32 - 1) < 0.2


def test_no_state_can_grow():
    """Whatever the parameters, in float32: the eigenvalues lie in the unit disk."""
    rate, frequency, log_delta = 50 * jax.random.normal(jax.random.key(0), (3, 10_000))
    decay = jnp.exp(jax.lax.complex(-jnp.exp(rate), frequency) * jnp.exp(log_delta))
    assert (jnp.abs(decay)[jnp.isfinite(decay)] <= 1 + 1e-6).all()


def test_sizes_must_fit():
    memory = S5(features=12)
    with pytest.raises(ValueError, match="no multiple"):
        begun(memory)
