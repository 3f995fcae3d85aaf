"""S4 against the dense system, discretised by solving with whole matrices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory import hippo
from agents.memory.s4 import S4, bilinear, dot
from tests.support.naive import check_loop, gelu, random_params, sigmoid


def both_halves(x):
    return np.concatenate([x, x.conj()], axis=0)


def dense(params):
    """For each channel the matrices of dh/dt = A h + B x, y = C h with all conjugate pairs."""
    value = both_halves(-np.exp(params["log_rate"]) + 1j * params["frequency"])
    p, b, c = (both_halves(params[k][0] + 1j * params[k][1]) for k in "PBC")
    a = [np.diag(value[:, f]) - np.outer(p[:, f], p[:, f].conj()) for f in range(p.shape[1])]
    return np.stack(a), b.T, c.T


def loop(params, x):
    if "input" in params:
        x = x @ params["input"]["kernel"] + params["input"]["bias"]
    a, b, c = dense(params)
    half_step = np.exp(params["log_delta"])[:, None, None] / 2
    eye = np.eye(a.shape[1])
    matrix = np.linalg.solve(eye - half_step * a, eye + half_step * a)
    into = np.linalg.solve(eye - half_step * a, 2 * half_step * b[..., None])[..., 0]
    h, ys = np.zeros_like(b), []
    for u in x:
        h = np.einsum("fnm,fm->fn", matrix, h) + into * u[:, None]
        y = (c * h).sum(axis=1)
        np.testing.assert_allclose(y.imag, 0, atol=1e-9)
        y = gelu(y.real + params["D"] * u)
        value, gate = np.split(y @ params["output"]["kernel"] + params["output"]["bias"], 2)
        ys.append(value * sigmoid(gate))
    return np.stack(ys)


@pytest.mark.by_default("recurrent-memory1")
@pytest.mark.parametrize("memory", [S4(features=5, state=6), S4(features=3, state=32)])
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(memory, mode):
    check_loop(memory.clone(mode=mode), loop, length=70)


def begun(memory):
    x = jnp.zeros((1, 1, memory.features))
    args = (memory.initial_carry(1), x, jnp.zeros((1, 1), bool))
    params = jax.jit(memory.init)(jax.random.key(0), *args)["params"]
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)


def test_begins_at_hippo():
    """Turned back out of the eigenbasis, A is HiPPO-LegS and B its input vector."""
    a, b, _ = dense(begun(S4(features=2, state=16)))
    _, vectors = hippo.eigen(16)
    vectors = np.hstack([vectors, vectors.conj()])
    np.testing.assert_allclose(vectors @ a[0] @ vectors.conj().T, hippo.legs(16), atol=1e-4)
    np.testing.assert_allclose(vectors @ b[0], np.sqrt(2 * np.arange(16) + 1), atol=1e-5)


@pytest.mark.by_default("1.0")
@pytest.mark.parametrize("noise", [0.0, 1.0])
def test_no_state_can_grow(noise):
    """The spectrum stays in the unit disk, wherever training takes the parameters."""
    params = random_params(S4(features=20, state=8), 20, noise=noise)["params"]
    a, _, _ = dense(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params))
    assert (np.linalg.eigvals(a).real < 0).all()
    p, b, c = (jax.lax.complex(*params[k]) for k in "PBC")
    eigenvalue = jax.lax.complex(-jnp.exp(params["log_rate"]), params["frequency"])
    system = bilinear(eigenvalue, p, b, c, jnp.exp(params["log_delta"]))
    eye = np.eye(4)[..., None] * np.ones(20)
    columns = system.step(jnp.concatenate([eye, 1j * eye]))  # [8, 4, F]
    matrix = np.concatenate([columns.real, columns.imag], axis=1).transpose(2, 1, 0)
    assert np.abs(np.linalg.eigvals(matrix)).max() < 1


def test_row_times_column():
    row, h = jax.random.normal(jax.random.key(0), (2, 2, 3, 5))
    row, h = jax.lax.complex(*row), jax.lax.complex(*h)
    np.testing.assert_allclose(dot(row, h), (row * h).sum(axis=0).real, atol=1e-5)


@pytest.mark.slow
def test_memory_is_linear_in_time():
    """No state for every step: the gradient at T = 1,024 takes a fraction of T x F x N numbers."""
    length, features = 1024, 16

    def loss(x, start, memory):
        params = random_params(memory, features)
        return memory.apply(params, memory.initial_carry(4), x, start)[1].sum()

    x = jax.ShapeDtypeStruct((length, 4, features), jnp.float32)
    start = jax.ShapeDtypeStruct((length, 4), bool)
    for mode in ("parallel", "recurrent"):
        memory = S4(features=features, state=64, mode=mode)
        grad = jax.jit(jax.grad(loss), static_argnums=2)
        analysis = grad.lower(x, start, memory).compile().memory_analysis()
        assert analysis.temp_size_in_bytes < length * 4 * features * memory.state * 4 / 2, mode
