"""GTrXL against the definition, step by step over a list of what was seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.gtrxl import GTrXL, skew
from tests.support.naive import check_loop, layer_norm, random_params, sigmoid, softmax

HEADS = 2


def relu(x):
    return np.maximum(x, 0)


def gate(params, x, y):
    width = len(x)
    w_reset, w_update, w_candidate = np.split(params["y"]["kernel"], 3, axis=1)
    u_reset, u_update = np.split(params["x"]["kernel"], 2, axis=1)
    reset = sigmoid(y @ w_reset + x @ u_reset)
    update = sigmoid(y @ w_update + x @ u_update - params["bias"])
    candidate = np.tanh(y @ w_candidate + (reset * x) @ params["candidate"]["kernel"])
    assert candidate.shape == (width,)
    return (1 - update) * x + update * candidate


def sinusoid(age, width):
    angle = age / 10_000 ** (2 * np.arange(width // 2) / width)
    return np.concatenate([np.sin(angle), np.cos(angle)])


def attention(params, normed, window):
    """The output at the last step of `normed`."""
    width = normed.shape[1]
    out = 0
    for h in range(HEADS):
        w = {name: params[name][:, h] for name in ("query", "key", "value", "position")}
        query = normed[-1] @ w["query"]
        scores, values = [], []
        for age in range(min(window, len(normed))):
            key = normed[-1 - age] @ w["key"]
            content = (query + params["content_bias"][h]) @ key
            place = sinusoid(age, width) @ w["position"]
            position = (query + params["position_bias"][h]) @ place
            scores.append((content + position) / np.sqrt(width / HEADS))
            values.append(normed[-1 - age] @ w["value"])
        mean = softmax(np.array(scores)) @ np.array(values)
        out = out + params["out"][:, h] @ mean
    return out


def loop(window):
    def run(params, x):
        if "input" in params:
            x = x @ params["input"]["kernel"] + params["input"]["bias"]
        normed = layer_norm(x, params["attention_norm"])
        ys = []
        for t in range(len(x)):
            y = attention(params["Attention_0"], normed[: t + 1], window)
            y = gate(params["attention_gate"], x[t], relu(y))
            z = layer_norm(y, params["mlp_norm"])
            z = relu(z @ params["mlp_in"]["kernel"] + params["mlp_in"]["bias"])
            z = relu(z @ params["mlp_out"]["kernel"] + params["mlp_out"]["bias"])
            ys.append(gate(params["mlp_gate"], y, z))
        return np.stack(ys)

    return run


@pytest.mark.by_default("100-5")
@pytest.mark.parametrize("window, width", [(1, 5), (7, 12), (100, 5)])
def test_equals_the_loop(window, width):
    check_loop(GTrXL(features=12, window=window, heads=HEADS), loop(window), width=width)


@pytest.mark.slow
def test_starts_near_the_identity():
    """The gates' bias lets a policy learn to react before it learns to remember (section 3.2)."""
    memory = GTrXL(features=64, gate_bias=12.0)
    x, start = jax.random.normal(jax.random.key(0), (20, 2, 64)), jnp.zeros((20, 2), bool)
    carry = memory.initial_carry(2)
    params = jax.jit(memory.init)(jax.random.key(1), carry, x, start)
    _, y = jax.jit(memory.apply)(params, carry, x, start)
    np.testing.assert_allclose(y, x, atol=0.005)


@pytest.mark.slow
def test_sees_exactly_window_steps():
    memory = GTrXL(features=8, window=5, heads=HEADS)
    params = random_params(memory, 3)
    x = jax.random.normal(jax.random.key(0), (23, 1, 3))

    def read(x):
        return memory.apply(params, memory.initial_carry(1), x, jnp.zeros((23, 1), bool))[1]

    depends = np.abs(jax.jit(jax.jacrev(lambda x: read(x)[:, 0].sum(axis=-1)))(x)).sum(axis=(2, 3))
    age = np.arange(23)[:, None] - np.arange(23)
    np.testing.assert_array_equal(depends > 0, (age >= 0) & (age < 5))


@pytest.mark.parametrize("size, window", [(1, 4), (3, 4), (4, 4)])
def test_skew_puts_each_age_at_its_key(size, window):
    scores = np.arange(1.0, size * window + 1).reshape(size, window)
    got = skew(jnp.asarray(scores))
    for i in range(size):
        for age in range(window):
            assert got[i, i + window - age] == scores[i, window - 1 - age]
