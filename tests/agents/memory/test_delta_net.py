"""DeltaNet and Gated DeltaNet against the definition, and the parts of their chunked form."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.delta_net import DeltaNet
from agents.memory.delta_rule import delta_chunk, delta_steps
from agents.memory.gated_delta_net import GatedDeltaNet
from agents.memory.short_conv import newest_inputs, short_convolution
from agents.memory.triangular import inverse, solve
from tests.support.naive import check_loop, dense, random_params, sigmoid

HEADS = 2


def silu(x):
    return x * sigmoid(x)


def memory_loop(params, x, beta, decay):
    """The outputs of the normed fast weights; beta, decay: `[T, HEADS]`."""
    layer = params["memory"]
    values = layer["norm_scale"].size
    inputs = dense(x, layer["query_key_value"])
    keys = (inputs.shape[1] // HEADS - values) // 2
    kernel = layer["conv_kernel"]
    states = np.zeros((HEADS, keys, values))
    ys = []
    for t in range(len(x)):
        z = sum(kernel[a] * inputs[t - a] for a in range(len(kernel)) if t >= a)
        query, key, value = np.split(silu(z), [HEADS * keys, 2 * HEADS * keys])
        y = []
        for h in range(HEADS):
            q, k = (u.reshape(HEADS, keys)[h] for u in (query, key))
            q, k = (u / np.sqrt((u**2).sum() + 1e-6) for u in (q, k))
            v = value.reshape(HEADS, values)[h]
            old = decay[t, h] * states[h]
            states[h] = old + beta[t, h] * np.outer(k, v - old.T @ k)
            out = states[h].T @ q
            y.append(out / np.sqrt((out**2).mean() + 1e-6) * layer["norm_scale"])
        ys.append(np.concatenate(y))
    return np.stack(ys)


def delta_loop(params, x):
    beta = sigmoid(dense(x, params["beta"]))
    return dense(memory_loop(params, x, beta, np.ones_like(beta)), params["output"])


def gated_loop(params, x):
    beta = sigmoid(dense(x, params["beta"]))
    step = np.log1p(np.exp(dense(x, params["step"])))
    y = memory_loop(params, x, beta, np.exp(-np.exp(params["log_rate"]) * step))
    return dense(y * silu(dense(x, params["gate"])), params["output"])


@pytest.mark.by_default("DeltaNet-delta_loop-recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
@pytest.mark.parametrize("model, loop", [(DeltaNet, delta_loop), (GatedDeltaNet, gated_loop)])
def test_equals_the_loop(model, loop, mode):
    check_loop(model(features=12, heads=HEADS, mode=mode), loop, length=150)


@pytest.mark.by_default("delta_steps")
@pytest.mark.parametrize("chunk", [delta_steps, delta_chunk])
def test_a_key_is_overwritten_not_added_to(chunk):
    """With beta = 1 the newest value of a key is read, after however many others."""
    key = jnp.eye(4)[jnp.array([0, 1, 0, 2, 0])][:, None, None]
    value = jnp.arange(1.0, 6.0)[:, None, None, None]
    beta, log_decay = jnp.ones((5, 1, 1, 1)), jnp.zeros((5, 1, 1, 1))
    segment = jnp.zeros((5, 1), jnp.int32)
    state, y = chunk(jnp.zeros((1, 1, 4, 1)), (key, key, value, beta, log_decay), segment)
    np.testing.assert_allclose(state[0, 0, :, 0], [5, 2, 4, 0], atol=1e-6)
    np.testing.assert_allclose(y.ravel(), value.ravel(), atol=1e-6)


@pytest.mark.slow  # by default: gradients of the chunked form
@pytest.mark.by_default("True")
@pytest.mark.parametrize("same_key", [False, True])
def test_gradients_of_the_modes_agree(same_key):
    """Also where all keys are equal, the worst case of the triangular system."""
    keys = jax.random.split(jax.random.key(0), 6)
    query, key, value = (jax.random.normal(k, (32, 2, 2, 4)) for k in keys[:3])
    if same_key:
        key = jnp.broadcast_to(key[:1], key.shape)
    key = key / jnp.linalg.norm(key, axis=-1, keepdims=True)
    beta = jax.random.uniform(keys[3], (32, 2, 2, 1))
    log_decay = -0.1 * jax.random.uniform(keys[4], (32, 2, 2, 1))
    state = jax.random.normal(keys[5], (2, 2, 4, 4))
    segment = jnp.cumsum(jnp.zeros((32, 2), jnp.int32).at[9, 0].set(1), axis=0)

    def loss(args, chunk):
        state, y = chunk(*args, segment)
        return jnp.sin(y).sum() + jnp.cos(state).sum()

    grad = jax.jit(jax.value_and_grad(loss), static_argnums=1)
    args = (state, (query, key, value, beta, log_decay))
    got, want = grad(args, delta_chunk), grad(args, delta_steps)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), got, want)


@pytest.mark.slow
@pytest.mark.parametrize("model", [DeltaNet, GatedDeltaNet])
def test_an_infinite_carry_is_seen_until_the_start_and_no_longer(model):
    memory = model(features=4, heads=1)
    params = random_params(memory, 3)
    x = jax.random.normal(jax.random.key(0), (8, 2, 3))
    start = jnp.zeros((8, 2), bool).at[3, 0].set(True)
    infinite = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.inf), memory.initial_carry(2))
    carry, y = jax.jit(memory.apply)(params, infinite, x, start)
    finite = np.isfinite(y).all(axis=-1)
    np.testing.assert_array_equal(finite, np.arange(8)[:, None] >= np.array([3, 8]))
    assert np.isfinite(carry.state[0]).all() and not np.isfinite(carry.state[1]).any()


@pytest.mark.by_default("5", "1")
@pytest.mark.parametrize("size", [1, 5, 8, 32])
def test_inverse_of_a_triangular_matrix(size):
    lower = jnp.tril(jax.random.uniform(jax.random.key(0), (3, size, size), minval=-0.3), -1)
    exact = np.eye(size) + np.asarray(lower, np.float64)
    np.testing.assert_allclose(inverse(lower), np.linalg.inv(exact), atol=1e-5)
    equal_keys = jnp.tril(jnp.ones((size, size)), -1)
    want = np.eye(size) - np.eye(size, k=-1)
    np.testing.assert_allclose(inverse(equal_keys), want, atol=1e-6)


@pytest.mark.slow
def test_gradient_of_a_triangular_system():
    lower = jnp.tril(jax.random.normal(jax.random.key(0), (8, 8)), -1) / 3
    right = jax.random.normal(jax.random.key(1), (8, 2))

    def loss(solve):
        return lambda lower, right: jnp.sin(solve(jnp.tril(lower, -1), right)).sum()

    got = jax.grad(loss(solve), (0, 1))(lower, right)
    direct = jax.grad(loss(lambda n, r: jnp.linalg.inv(jnp.eye(8) + n) @ r), (0, 1))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), got, direct(lower, right)
    )


@pytest.mark.slow
def test_short_convolution():
    kernel = jnp.array([[1.0], [10.0], [100.0]])
    x = jnp.arange(1.0, 6.0)[:, None, None]
    past = jnp.array([[[8.0], [9.0]]])
    segment = jnp.array([0, 0, 1, 1, 1])[:, None]
    y = short_convolution(kernel, past, x, segment)
    np.testing.assert_allclose(y.ravel(), [891, 912, 3, 34, 345])
    np.testing.assert_allclose(newest_inputs(past, x, segment).ravel(), [4, 5])
    np.testing.assert_allclose(newest_inputs(past, x[:1], segment[:1]).ravel(), [9, 1])
    np.testing.assert_allclose(newest_inputs(past, x[:3], segment[:3]).ravel(), [0, 3])
