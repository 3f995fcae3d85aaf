"""Mamba-2 against the loop over the states of its heads, and its convolution's window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.mamba2 import Mamba2
from tests.support.naive import check_loop, random_params, sigmoid

HEADS, STATE, CONV = 4, 3, 4


def silu(x):
    return x * sigmoid(x)


def convolution(kernel, bias, x):
    """`[T, F]`: zeros stand before the episode."""
    padded = np.concatenate([np.zeros((len(kernel) - 1, x.shape[1])), x])
    last = len(kernel) - 1
    return bias + sum(k * padded[last - a : last - a + len(x)] for a, k in enumerate(kernel))


def loop(params, x):
    width = params["output"]["kernel"].shape[0]
    gate, mixed, step = np.split(
        x @ params["input"]["kernel"], [width, 2 * width + 2 * STATE], axis=1
    )
    mixed = silu(convolution(params["conv"], params["conv_bias"], mixed))
    value, b, c = np.split(mixed, [width, width + STATE], axis=1)
    value = value.reshape(len(x), HEADS, -1)
    delta = np.log1p(np.exp(step + params["step_bias"]))
    rate = np.exp(params["log_rate"])
    state, ys = np.zeros((HEADS, STATE, value.shape[2])), []
    for t in range(len(x)):
        for h in range(HEADS):
            decay = np.exp(-delta[t, h] * rate[h])
            state[h] = decay * state[h] + delta[t, h] * np.outer(b[t], value[t, h])
        y = np.stack([state[h].T @ c[t] + params["D"][h] * value[t, h] for h in range(HEADS)])
        y = y.ravel() * silu(gate[t])
        y = y / np.sqrt((y**2).mean() + 1e-6) * params["norm"]["scale"]
        ys.append(y @ params["output"]["kernel"])
    return np.stack(ys)


@pytest.mark.by_default("recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(mode):
    memory = Mamba2(features=6, heads=HEADS, state=STATE, conv=CONV, mode=mode)
    check_loop(memory, loop, length=150)


def test_the_window_is_cut_at_starts():
    """With the state read out of the way, a step depends on CONV steps of its episode alone."""
    memory = Mamba2(features=6, heads=HEADS, state=STATE, conv=CONV)
    params = random_params(memory, 5)
    params["params"]["step_bias"] = jnp.full(HEADS, -1e4)  # delta = 0: nothing is written
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


def test_begins_with_memories_of_all_lengths():
    memory = Mamba2(features=256, heads=256)
    x, start = jnp.zeros((1, 1, 256)), jnp.zeros((1, 1), bool)
    params = jax.jit(memory.init)(jax.random.key(0), memory.initial_carry(1), x, start)["params"]
    delta = np.log1p(np.exp(params["step_bias"]))
    assert delta.min() * 1.01 >= 0.001 and delta.max() * 0.99 <= 0.1
    rate = np.exp(params["log_rate"])
    assert rate.min() * 1.01 >= 1 and rate.max() * 0.99 <= 16


def test_sizes_must_fit():
    memory = Mamba2(features=5)
    with pytest.raises(ValueError, match="no multiple"):
        jax.eval_shape(memory.init, jax.random.key(0), memory.initial_carry(1),
                       jnp.zeros((1, 1, 3)), jnp.zeros((1, 1), bool))  # fmt: skip
