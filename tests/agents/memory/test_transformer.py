"""The Transformer against the definition with absolute positions, and its window."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.transformer import Transformer
from tests.support.naive import check_loop, random_params, softmax, with_position

HEADS = 2


def turned(x, position):
    """`[D]` as D/2 complex numbers, each times its own power of a rotation."""
    half = x.shape[-1] // 2
    z = (x[:half] + 1j * x[half:]) * np.exp(1j * position * 10_000.0 ** (-np.arange(half) / half))
    return np.concatenate([z.real, z.imag])


def loop(window):
    def run(params, x):
        query, key, value = np.split(x @ params["query_key_value"]["kernel"], 3, axis=-1)
        width = query.shape[1] // HEADS
        ys = []
        for t in range(len(x)):
            seen = range(max(0, t - window + 1), t + 1)
            y = []
            for h in range(HEADS):
                d = slice(h * width, (h + 1) * width)
                scores = [turned(query[t, d], t) @ turned(key[s, d], s) for s in seen]
                y.append(softmax(np.array(scores) / np.sqrt(width)) @ value[seen, d])
            ys.append(np.concatenate(y) @ params["output"]["kernel"])
        return np.stack(ys)

    return run


@pytest.mark.by_default("100", "7")
@pytest.mark.parametrize("window", [1, 7, 100])
def test_equals_the_loop(window):
    check_loop(Transformer(features=12, window=window, heads=HEADS), loop(window))


def test_equals_the_loop_with_a_clock():
    def run(params, x):
        return loop(7)(params, with_position(x, params["position"]))

    check_loop(Transformer(features=12, window=7, heads=HEADS, clock=True), run)


def test_sees_exactly_window_steps():
    memory = Transformer(features=8, window=5, heads=HEADS)
    params = random_params(memory, 3)
    x = jax.random.normal(jax.random.key(0), (23, 1, 3))

    def read(x):
        return memory.apply(params, memory.initial_carry(1), x, jnp.zeros((23, 1), bool))[1]

    depends = np.abs(jax.jit(jax.jacrev(lambda x: read(x)[:, 0].sum(axis=-1)))(x)).sum(axis=(2, 3))
    age = np.arange(23)[:, None] - np.arange(23)
    np.testing.assert_array_equal(depends > 0, (age >= 0) & (age < 5))


def test_no_clock():
    """After any number of steps the same window gives the same output and the same carry."""
    memory = Transformer(features=8, window=5, heads=HEADS)
    params = random_params(memory, 3)
    recent = jax.random.normal(jax.random.key(0), (9, 1, 3))
    results = []
    for length in (9, 1000):
        x = jnp.concatenate([jnp.ones((length - 9, 1, 3)), recent])
        start = jnp.zeros((length, 1), bool)
        carry, y = jax.jit(memory.apply)(params, memory.initial_carry(1), x, start)
        results.append((carry, y[-4:]))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), *results)


def test_memory_is_linear_in_time():
    """No scores for all pairs of steps: four times the steps take four times the memory."""
    memory = Transformer(features=16, window=32, heads=2)
    params = random_params(memory, 16)

    def temporary(length):
        def loss(x, start):
            return memory.apply(params, memory.initial_carry(1), x, start)[1].sum()

        x = jax.ShapeDtypeStruct((length, 1, 16), jnp.float32)
        start = jax.ShapeDtypeStruct((length, 1), bool)
        grad = jax.jit(jax.grad(loss)).lower(x, start).compile()
        return grad.memory_analysis().temp_size_in_bytes

    assert temporary(4096) < 4.2 * temporary(1024)


def test_heads_must_fit():
    memory = Transformer(features=10)
    with pytest.raises(ValueError, match="no multiple"):
        jax.eval_shape(memory.init, jax.random.key(0), memory.initial_carry(1),
                       jnp.zeros((1, 1, 3)), jnp.zeros((1, 1), bool))  # fmt: skip
