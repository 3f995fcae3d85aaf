"""Mamba against the paper's loop, its scan's two ways, and its convolution's window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.mamba import Mamba
from agents.memory.selective import selective_scan
from tests.support.naive import check_loop, random_params, sigmoid

STATE, CONV = 3, 4


def loop(params, x):
    """One channel and one number of the state at a time."""
    rank = params["delta"]["kernel"].shape[0]
    x, gate = np.split(x @ params["input"]["kernel"], 2, axis=1)
    padded = np.concatenate([np.zeros((CONV - 1, x.shape[1])), x])
    h, ys = np.zeros((STATE, x.shape[1])), []
    for t in range(len(x)):
        u = params["conv_bias"] + sum(
            params["conv"][a] * padded[t + CONV - 1 - a] for a in range(4)
        )
        u = u * sigmoid(u)
        r, b, c = np.split(u @ params["select"]["kernel"], [rank, rank + STATE])
        delta = np.log1p(np.exp(r @ params["delta"]["kernel"] + params["delta"]["bias"]))
        y = params["D"] * u
        for f in range(len(u)):
            for n in range(STATE):
                decay = np.exp(-delta[f] * np.exp(params["log_rate"][n, f]))
                h[n, f] = decay * h[n, f] + delta[f] * b[n] * u[f]
                y[f] += c[n] * h[n, f]
        ys.append((y * gate[t] * sigmoid(gate[t])) @ params["output"]["kernel"])
    return np.stack(ys)


@pytest.mark.by_default("recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(mode):
    check_loop(Mamba(features=6, state=STATE, conv=CONV, mode=mode), loop)


def test_the_window_is_cut_at_starts():
    """With nothing written to the state, a step depends on CONV steps of its episode alone."""
    memory = Mamba(features=6, state=STATE, conv=CONV)
    params = random_params(memory, 5)
    params["params"]["delta"] = {"kernel": jnp.zeros((1, 12)), "bias": jnp.full(12, -1e4)}
    x, start = jax.random.normal(jax.random.key(0), (9, 1, 5)), jnp.zeros((9, 1), bool)

    @jax.jit
    def depends(start):
        def read(x):
            return memory.apply(params, memory.initial_carry(1), x, start)[1].sum(axis=(1, 2))

        return jnp.abs(jax.jacrev(read)(x)).sum(axis=(2, 3)) > 0

    age = np.arange(9)[:, None] - np.arange(9)
    window = (age >= 0) & (age < CONV)
    np.testing.assert_array_equal(depends(start), window)
    same = (np.arange(9)[:, None] >= 5) == (np.arange(9) >= 5)
    np.testing.assert_array_equal(depends(start.at[5].set(True)), window & same)


def scan_inputs(length=45, batch=2, state=3, width=4):
    keys = jax.random.split(jax.random.key(0), 7)
    rate, delta = (
        jax.random.exponential(k, s)
        for k, s in zip(keys[:2], [(state, width), (length, batch, width)], strict=True)
    )
    x = jax.random.normal(keys[2], (length, batch, width))
    b, c = jax.random.normal(keys[3], (2, length, batch, state))
    carry = jax.random.normal(keys[4], (batch, state, width))
    return (rate, delta, x, b, c, carry), jax.random.bernoulli(keys[5], 0.1, (length, batch))


@pytest.mark.slow
def test_gradients_of_both_ways_agree():
    args, start = scan_inputs()

    def loss(args, mode):
        carry, y = selective_scan(*args, start, mode)
        return jnp.sum(jnp.sin(y)) + jnp.sum(carry**2)

    grad = jax.jit(jax.grad(loss), static_argnums=1)
    for a, b in zip(grad(args, "parallel"), grad(args, "recurrent"), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5 * max(1.0, np.abs(b).max()))


@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_the_gradient_never_holds_a_state_for_every_step(mode):
    length, state, width = 1024, 64, 32

    def loss(args, start):
        return selective_scan(*args, start, mode)[1].sum()

    args, start = jax.eval_shape(lambda: scan_inputs(length, 1, state, width))
    analysis = jax.jit(jax.grad(loss)).lower(args, start).compile().memory_analysis()
    assert analysis.temp_size_in_bytes < 4 * length * state * width / 2


def test_begins_with_steps_of_all_lengths():
    memory = Mamba(features=128)
    x, start = jnp.zeros((1, 1, 128)), jnp.zeros((1, 1), bool)
    params = jax.jit(memory.init)(jax.random.key(0), memory.initial_carry(1), x, start)["params"]
    delta = np.log1p(np.exp(params["delta"]["bias"]))
    assert delta.min() * 1.01 >= 0.001 and delta.max() * 0.99 <= 0.1
    np.testing.assert_allclose(np.exp(params["log_rate"][:, 7]), np.arange(1, 17), rtol=1e-5)
