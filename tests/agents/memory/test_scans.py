"""The fast loops equal the plain ones, gradients included."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.matmul_scan import matmul_scan
from agents.memory.scans import linear_scan, recurrent_scan

T, B, F = 20, 3, 5


def cell(theta, carry, gates):
    """Two states, a gate from both sides, one from the input alone, one from the product alone."""
    h, c = carry
    c = jax.nn.sigmoid(gates["both"]) * c + theta["scale"] * jnp.tanh(gates["input"])
    h = jnp.tanh(c + gates["product"] * theta["bias"]) + 0.5 * h
    return (h, c), h * c


def setting(seed=0):
    key_x, key_w, key_h, key_c, key_start = jax.random.split(jax.random.key(seed), 5)
    x = jax.random.normal(key_x, (T, B, 2 * F))
    w = 0.4 * jax.random.normal(key_w, (F, 3 * F))
    theta = {"scale": jnp.linspace(0.5, 1, F), "bias": jnp.linspace(-1, 1, F)}
    carry = tuple(jax.random.normal(k, (B, F)) for k in (key_h, key_c))
    return w, theta, carry, x, jax.random.bernoulli(key_start, 0.2, (T, B))


def fast(w, theta, carry, x, start):
    weights = {"both": w[:, :F], "product": (w[:, F : 2 * F], w[:, 2 * F :])}
    xs = {"both": x[..., :F], "input": x[..., F:]}
    return matmul_scan(cell, weights, theta, carry, xs, start)


def plain(w, theta, carry, x, start):
    def step(carry, x):
        from_h = carry[0] @ w[:, : 2 * F]
        gates = {"both": x[:, :F] + from_h[:, :F], "input": x[:, F:]}
        gates["product"] = from_h[:, F:] + carry[1] @ w[:, 2 * F :]
        return cell(theta, carry, gates)

    return recurrent_scan(step, jax.tree.map(jnp.zeros_like, carry), carry, x, start)


def loss(scan, *args):
    carry, ys = scan(*args)
    leaves = jax.tree.leaves(carry)
    return (jnp.sin(ys) * jnp.arange(T)[:, None, None]).sum() + sum((c**2).sum() for c in leaves)


def assert_close(got, want, tolerance=1e-4):
    def close(a, b):
        np.testing.assert_allclose(a, b, atol=tolerance * max(1.0, np.abs(b).max()))

    jax.tree.map(close, got, want)


@pytest.mark.by_default("gpu")
@pytest.mark.parametrize("backend", ["cpu", "gpu"])  # the way it multiplies there
def test_matmul_scan_equals_the_plain_loop(backend, monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: backend)
    args = setting()
    assert_close(jax.jit(fast)(*args), jax.jit(plain)(*args), 1e-5)
    grad = jax.jit(jax.grad(loss, argnums=(1, 2, 3, 4)), static_argnums=0)
    assert_close(grad(fast, *args), grad(plain, *args))


def test_matmul_scan_under_vmap_over_parameters():
    (w, theta, *rest), (w2, theta2, *_) = setting(0), setting(1)
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), (w, theta), (w2, theta2))
    grad = jax.grad(lambda params: loss(fast, *params, *rest))
    got = jax.jit(jax.vmap(grad))(params)
    want = [jax.jit(grad)(p) for p in ((w, theta), (w2, theta2))]
    assert_close(got, jax.tree.map(lambda *leaves: jnp.stack(leaves), *want))


def products_in_loops(function, *args):
    """Shapes of the matrix products inside the compiled program's loops."""
    text = jax.jit(function).lower(*args).compile().as_text()
    bodies = set(re.findall(r"body=%?([\w.\-]+)", text))
    assert bodies
    inside = [c for c in text.split("\n\n") if c.lstrip("%").split(" ")[0] in bodies]
    return set(re.findall(r"f32\[([\d,]+)\]\S* dot\(", "\n".join(inside)))


@pytest.mark.parametrize("seeds", [None, 2])
def test_the_weights_gradient_is_one_product_after_the_loop(seeds):
    """In the loops are only products `[B, F]`; the plain loop forms a whole matrix there."""
    w, theta, carry, x, start = setting()

    def products(scan):
        grad = jax.grad(lambda w: loss(scan, w, theta, carry, x, start))
        if seeds is None:
            return products_in_loops(grad, w)
        return products_in_loops(jax.vmap(grad), jnp.stack([w] * seeds))

    lanes = f"{seeds}," if seeds else ""
    assert products(fast) == {f"{lanes}{B},{F}"}
    matrices = (f"{F},{2 * F}", f"{2 * F},{F}")
    assert any(shape.endswith(matrices) for shape in products(plain))


def loop(decay, inputs, carry, start):
    decay = np.broadcast_to(decay, inputs.shape)
    h, hs = np.asarray(carry), []
    for t in range(T):
        h = np.where(start[t].reshape(-1, *[1] * (h.ndim - 1)), 0, h)
        h = decay[t] * h + inputs[t]
        hs.append(h)
    return np.stack(hs)


DECAYS = {"varying": (T, B, F), "constant": (F,), "by_head": (T, B, 1), "by_time": (T, 1, 1)}


def linear_setting(shape, dtype):
    keys = jax.random.split(jax.random.key(2), 4)
    decay = jax.random.uniform(keys[0], shape, minval=0.5)
    if dtype is complex:
        decay = decay * jnp.exp(2j * decay)
    inputs = jax.random.normal(keys[1], (T, B, F), dtype)
    carry = jax.random.normal(keys[2], (B, F), dtype)
    return decay, inputs, carry, jax.random.bernoulli(keys[3], 0.2, (T, B))


@pytest.mark.by_default(
    "constant-float-auto",
    "by_time-complex-auto",
    "varying-complex-auto",
    "constant-complex-auto",
    "by_head-complex-auto",
    "varying-float-auto",
)
@pytest.mark.parametrize("mode", ["parallel", "recurrent", "auto"])
@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", DECAYS.values(), ids=DECAYS)
def test_linear_scan_equals_the_loop(shape, dtype, mode):
    *args, start = linear_setting(shape, dtype)
    got = jax.jit(lambda *args: linear_scan(*args, start, mode=mode))(*args)
    np.testing.assert_allclose(got, loop(*args, start), atol=1e-5)


@pytest.mark.by_default("by_head-complex", "by_time-float")
@pytest.mark.parametrize("dtype", [float, complex])
@pytest.mark.parametrize("shape", DECAYS.values(), ids=DECAYS)
def test_gradient_of_linear_scan(shape, dtype):
    *args, start = linear_setting(shape, dtype)

    def by_autodiff(decay, inputs, carry):
        def step(h, ab):
            h = ab[0] * h + ab[1]
            return h, h

        xs = jnp.broadcast_to(decay, inputs.shape), inputs
        return recurrent_scan(step, jnp.zeros_like(carry), carry, xs, start)[1]

    def grad(scan):
        weight = jnp.cos(jnp.arange(T * B * F)).reshape(T, B, F)
        return jax.jit(jax.grad(lambda *args: (weight * scan(*args)).real.sum(), (0, 1, 2)))(*args)

    want = grad(by_autodiff)
    for mode in ("parallel", "recurrent"):
        assert_close(grad(lambda *args, m=mode: linear_scan(*args, start, mode=m)), want, 1e-5)


@pytest.mark.by_default("recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_a_start_drops_even_what_is_not_a_number(mode):
    decay, inputs, carry, _ = linear_setting((F,), float)
    start = jnp.zeros((T, B), bool).at[jnp.array([0, 7]), jnp.array([0, 1])].set(True)
    h = linear_scan(decay, inputs, jnp.full_like(carry, jnp.nan), start, mode=mode)
    assert np.isfinite(h[:, 0]).all() and np.isfinite(h[7:, 1]).all()
    assert np.isnan(h[:7, 1]).all() and np.isnan(h[:, 2]).all()


def test_one_step_compiles_no_loop():
    w, theta, carry, x, start = setting()
    text = jax.jit(fast).lower(w, theta, carry, x[:1], start[:1]).as_text()
    assert "while" not in text
    linear = jax.jit(linear_scan).lower(theta["bias"], x[:1, :, :F], carry[0], start[:1]).as_text()
    assert "while" not in linear
