"""The laws of the protocol, for every memory model there is."""

import dataclasses
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory import MEMORIES
from tests.support.naive import random_params

T, B, WIDTH, FEATURES = 70, 3, 6, 8  # longer than a chunk of 64

models = pytest.mark.parametrize("memory", [m(FEATURES) for m in MEMORIES.values()], ids=MEMORIES)
with_modes = pytest.mark.parametrize(
    "memory", [m(FEATURES) for m in MEMORIES.values() if hasattr(m, "mode")],
    ids=[name for name, m in MEMORIES.items() if hasattr(m, "mode")],
)  # fmt: skip

params_of = lru_cache(partial(random_params, width=WIDTH, noise=0.1))


@partial(jax.jit, static_argnums=0)
def apply(memory, params, carry, x, start):
    return memory.apply(params, carry, x, start)


@partial(jax.jit, static_argnums=0)
def step_by_step(memory, params, carry, x, start):
    def step(carry, inputs):
        x_t, start_t = inputs
        carry, y = memory.apply(params, carry, x_t[None], start_t[None])
        return carry, y[0]

    return jax.lax.scan(step, carry, (x, start))


@lru_cache
def setting(seed=0):
    """Inputs, and starts: of the first sequence at t = 0, of the second none, of the third some."""
    x = jax.random.normal(jax.random.key(seed), (T, B, WIDTH))
    start = jnp.zeros((T, B), bool).at[0, 0].set(True)
    return x, start.at[jnp.array([5, 6, 31, 65]), 2].set(True).at[40, 0].set(True)


@lru_cache
def worn_carry(memory):
    """The carry after another sequence."""
    x, start = setting(seed=1)
    return apply(memory, params_of(memory), memory.initial_carry(B), x, start)[0]


def assert_close(got, want, tolerance=2e-4):
    def close(a, b):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)

    jax.tree.map(close, got, want)


@pytest.mark.by_default("ffm")
@models
def test_steps_equal_the_sequence(memory):
    params, carry, (x, start) = params_of(memory), worn_carry(memory), setting()
    got = step_by_step(memory, params, carry, x, start)
    assert_close(got, apply(memory, params, carry, x, start))


@pytest.mark.by_default("delta_net", "s5")
@with_modes
def test_modes_agree(memory):
    params, carry, (x, start) = params_of(memory), worn_carry(memory), setting()
    want = apply(memory.clone(mode="recurrent"), params, carry, x, start)
    for mode in ("parallel", "auto"):
        assert_close(apply(memory.clone(mode=mode), params, carry, x, start), want)


@models
def test_an_episode_knows_nothing_of_the_one_before(memory):
    params, worn, (x, start) = params_of(memory), worn_carry(memory), setting()
    _, y = apply(memory, params, worn, x, start)
    for b in range(B):
        begins = sorted({0, *np.flatnonzero(start[:, b])})
        for begin, end in zip(begins, [*begins[1:], T], strict=True):
            carry = memory.initial_carry(B) if start[begin, b] else worn
            alone = jnp.roll(x, -begin, axis=0)  # what follows the episode cannot reach back
            _, want = apply(memory, params, carry, alone, jnp.zeros_like(start))
            assert_close(y[begin:end, b], want[: end - begin, b])


@models
def test_the_reset_matters(memory):
    """The negative control of the law above."""
    params, worn, (x, start) = params_of(memory), worn_carry(memory), setting()
    _, y = apply(memory, params, worn, x, start)
    _, without = apply(memory, params, worn, x, jnp.zeros_like(start))
    differs = np.abs(y - without).max(axis=-1) > 1e-5
    assert not differs[:, 1].any()
    assert differs[:, [0, 2]].any(axis=0).all() == (memory.state_size() > 0)


@models
def test_the_future_is_not_seen(memory):
    params, carry, (x, start) = params_of(memory), worn_carry(memory), setting()
    _, y = apply(memory, params, carry, x, start)
    for t in (1, 33, T - 1):
        _, changed = apply(memory, params, carry, x.at[t].add(1.0), start)
        assert_close(changed[:t], y[:t], 1e-5)
        assert np.abs(changed[t] - y[t]).max() > 1e-5


@models
def test_a_broken_carry_ends_at_the_start(memory):
    params, (x, _) = params_of(memory), setting()
    start = jnp.zeros((T, B), bool).at[jnp.array([0, 7, 69]), jnp.arange(B)].set(True)
    for value in (jnp.nan, jnp.inf):
        carry = jax.tree.map(
            lambda c: jnp.full_like(c, value) if jnp.issubdtype(c.dtype, jnp.inexact) else c,  # noqa: B023
            memory.initial_carry(B),
        )
        carry, y = apply(memory, params, carry, x, start)
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(carry))
        for b, t in enumerate([0, 7, 69]):
            assert np.isfinite(y[t:, b]).all()


def check_that_poison_stays(run, memory, params, x, begins, poisons=(np.inf, 1e30, 1e6)):
    """What one step of an episode reads changes, bit for bit, neither what came before the step
    nor what follows the next start. begins: the steps `[n, B]` of the starts, T for none; at each
    NaN is tried and one of the others."""
    carry, rows = memory.initial_carry(B), np.arange(B)
    for i, begin in enumerate(begins):
        broken = np.maximum(begin - (1, 41, 6, 1)[i % 4], 0)  # near the start or chunks before it
        start = np.arange(T)[:, None] == begin
        end, want = run(memory, params, carry, x, start)
        untouched = (np.arange(T)[:, None] < broken) | (np.arange(T)[:, None] >= begin)
        for value in (np.nan, poisons[i % len(poisons)]):
            poisoned = x.copy()
            poisoned[broken, rows] = value * np.where(np.arange(WIDTH) % 2, 1, -1)
            after, y = run(memory, params, carry, poisoned, start)
            np.testing.assert_array_equal(y[untouched], want[untouched], str(value))
            for got, clean in zip(jax.tree.leaves(after), jax.tree.leaves(end), strict=True):
                np.testing.assert_array_equal(got[begin < T], clean[begin < T], str(value))


EVERY_BEGIN = np.minimum(np.arange(1, 73), T).reshape(-1, B)
SOME_BEGINS = np.array([[1, 40, T], [8, 64, 69]])


@pytest.mark.by_default("frame_stack", "fart", "ffm")
@models
def test_poison_ends_at_the_start_and_never_reaches_back(memory):
    """Over whole sequences, at every place of a chunk, and by single steps."""
    params, x = params_of(memory), np.asarray(setting()[0])
    check_that_poison_stays(apply, memory, params, x, EVERY_BEGIN)
    check_that_poison_stays(step_by_step, memory, params, x, SOME_BEGINS)


@pytest.mark.by_default("ffm")
@with_modes
def test_modes_agree_at_every_size(memory):
    """For inputs from 1e-6 to 1e6 on either side of a start, and where these are poison, in double
    precision: at 1e6 single precision leaves no digits to a difference of two inputs."""
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda p: np.asarray(p, np.float64), params_of(memory))
        carry, x = memory.initial_carry(B), np.asarray(setting()[0], np.float64)
        for begin in SOME_BEGINS:
            start = np.arange(T)[:, None] == begin
            for first, second in ((1e-6, 1e6), (1e6, 1e-6), (1e3, 1.0)):
                scaled = x * np.where(np.arange(T)[:, None] < begin, first, second)[..., None]
                want, got = (
                    apply(memory.clone(mode=mode), exact, carry, scaled, start)
                    for mode in ("recurrent", "parallel")
                )
                for part in (np.arange(T)[:, None] < begin, np.arange(T)[:, None] >= begin):
                    y, exact_y = (np.where(part[..., None], run[1], 0) for run in (got, want))
                    error = np.abs(y - exact_y).max(axis=(0, 2))
                    assert (error <= 1e-6 * np.abs(exact_y).max(axis=(0, 2))).all()
        for mode in ("recurrent", "parallel"):
            run = memory.clone(mode=mode)
            check_that_poison_stays(apply, run, exact, x, SOME_BEGINS)


@models
def test_the_carry_is_as_declared(memory):
    params, (x, start) = params_of(memory), setting()
    declared = memory.initial_carry(B)
    for length in (1, T):
        carry, y = jax.eval_shape(memory.apply, params, declared, x[:length], start[:length])
        assert y.shape == (length, B, FEATURES) and y.dtype == jnp.float32
        shape = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), declared)
        assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), carry) == shape
    leaves = jax.tree.leaves(declared)
    assert all(leaf.shape[0] == B for leaf in leaves)
    numbers = sum(leaf.size * (1 + np.iscomplexobj(leaf)) for leaf in leaves)
    assert memory.state_size() * B == numbers


@pytest.mark.by_default("frame_stack")
@models
def test_seeds_side_by_side(memory):
    x, start = setting()
    keys = jax.random.split(jax.random.key(3), 2)

    carry = memory.initial_carry(B)

    @jax.jit
    def init(key):
        return memory.init(key, carry, x[:1], start[:1])

    def run(key):
        params = init(key)
        return params, memory.apply(params, carry, x, start)

    want = [(init(key), apply(memory, init(key), carry, x, start)) for key in keys]
    got = jax.jit(jax.vmap(run))(keys)
    assert_close(got, jax.tree.map(lambda *leaves: jnp.stack(leaves), *want))


@pytest.mark.by_default("ffm", "frame_stack")
@models
def test_gradients_are_finite_after_a_thousand_steps(memory):
    """And where an episode began on the way, those of the one before have no part in them."""
    x = jax.random.normal(jax.random.key(4), (1024, 1, WIDTH))
    start = jnp.zeros((1024, 1), bool)
    carry = memory.initial_carry(1)

    @jax.jit
    @jax.grad
    def gradient(params, x, start):
        return (memory.apply(params, carry, x, start)[1][-1] ** 2).sum()

    params = jax.jit(memory.init)(jax.random.key(5), carry, x, start)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(params, x, start)):
        assert np.isfinite(leaf).all(), jax.tree_util.keystr(path)
    start = start.at[1000].set(True)
    want, got = (gradient(params, x.at[:1000].multiply(size), start) for size in (1.0, 1e6))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(b, a, rtol=1e-5, atol=1e-6), want, got)


@pytest.mark.slow
@with_modes
def test_single_precision_suffices_for_four_thousand_steps(memory):
    length = 4096
    x = np.random.default_rng(0).normal(size=(length, 1, WIDTH))
    start = np.zeros((length, 1), bool)
    params = jax.jit(memory.init)(
        jax.random.key(6), memory.initial_carry(1), jnp.float32(x[:1]), jnp.array(start[:1])
    )
    parallel = memory.clone(mode="parallel")
    _, y = apply(parallel, params, memory.initial_carry(1), jnp.float32(x), start)
    with jax.enable_x64(True):
        exact = jax.tree.map(lambda p: np.asarray(p, np.float64), params)
        recurrent = memory.clone(mode="recurrent")
        _, want = apply(recurrent, exact, memory.initial_carry(1), x, start)
    assert want.dtype == np.float64
    y, want = np.asarray(y), np.asarray(want)
    assert np.abs(y - want).max() < 1e-3 * np.abs(want).max()


def test_every_name_is_that_of_one_model():
    assert len(set(MEMORIES.values())) == len(MEMORIES)
    for name, model in MEMORIES.items():
        assert name == name.lower() and dataclasses.is_dataclass(model)
        assert hash(model(8)) == hash(model(8)) and model(8) == model(8) != model(16)
