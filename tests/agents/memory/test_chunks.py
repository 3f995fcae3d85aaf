"""Linear attention in chunks equals the loop of its definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.chunks import chunked_scan, linear_attention

T, B, H, K, V = 150, 3, 2, 5, 4


def loop(query, key, value, log_decay, carry, start):
    """The definition, in float64, one step after the other."""
    query, key, value, log_decay, state = (
        np.asarray(x, np.float64) for x in (query, key, value, log_decay, carry)
    )
    ys = []
    for t in range(len(query)):
        state = np.where(start[t][:, None, None, None], 0, state)
        state = np.exp(log_decay[t])[..., None] * state
        state = state + key[t][..., :, None] * value[t][..., None, :]
        ys.append(np.einsum("bhk,bhkv->bhv", query[t], state))
    return state, np.stack(ys)


def inputs(decay_shape, strength, seed=0, length=T):
    keys = jax.random.split(jax.random.key(seed), 6)
    query, key = (jax.random.normal(k, (length, B, H, K)) for k in keys[:2])
    value = jax.random.normal(keys[2], (length, B, H, V))
    log_decay = -strength * jax.random.exponential(keys[3], (length, B, H, decay_shape))
    carry = jax.random.normal(keys[4], (B, H, K, V))
    start = jax.random.bernoulli(keys[5], 0.03, (length, B))
    return query, key, value, log_decay, carry, start


@pytest.mark.by_default("1-3.0-parallel-64", "1-0.1-recurrent-16", "5-3.0-recurrent-16")
@pytest.mark.parametrize("chunk_size", [16, 64])
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
@pytest.mark.parametrize("strength", [0.1, 3.0])
@pytest.mark.parametrize("decay_shape", [1, K])
def test_equals_the_loop(decay_shape, strength, mode, chunk_size):
    args = inputs(decay_shape, strength)
    attend = jax.jit(lambda *a: linear_attention(*a, mode=mode, chunk_size=chunk_size))
    carry, y = attend(*args)
    want_carry, want = loop(*args)
    np.testing.assert_allclose(y, want, atol=2e-5 * np.abs(want).max())
    np.testing.assert_allclose(carry, want_carry, atol=2e-5 * np.abs(want).max())


@pytest.mark.by_default("5")
@pytest.mark.parametrize("decay_shape", [1, K])
def test_steps_equal_the_sequence(decay_shape):
    query, key, value, log_decay, carry, start = inputs(decay_shape, 0.3, length=20)

    @jax.jit
    def steps(carry, *xs):
        def step(carry, x):
            carry, y = linear_attention(*(leaf[None] for leaf in x[:-1]), carry, x[-1][None])
            return carry, y[0]

        return jax.lax.scan(step, carry, xs)

    got = steps(carry, query, key, value, log_decay, start)
    want = jax.jit(linear_attention)(query, key, value, log_decay, carry, start)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), got, want)


@pytest.mark.by_default("30.0-1")
@pytest.mark.parametrize("decay_shape", [1, K])
@pytest.mark.parametrize("strength", [0.1, 30.0])  # 30: most decays lie under the floor
def test_gradients_of_the_modes_agree(decay_shape, strength):
    args = inputs(decay_shape, strength)
    weights = jax.random.normal(jax.random.key(9), (T, B, H, V))

    def loss(args, mode):
        carry, y = linear_attention(*args, args_start, mode=mode)
        return (y * weights).sum() + carry.sum()

    *args, args_start = args
    grad = jax.jit(jax.grad(loss), static_argnames="mode")
    parallel, recurrent = grad(args, "parallel"), grad(args, "recurrent")
    for a, b in zip(parallel, recurrent, strict=True):
        np.testing.assert_allclose(a, b, atol=3e-5 * max(1.0, np.abs(b).max()))


@pytest.mark.by_default("recurrent-5", "recurrent-1")
@pytest.mark.parametrize("decay_shape", [1, K])
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_what_the_carry_held_ends_at_the_start(mode, decay_shape):
    query, key, value, log_decay, carry, _ = inputs(decay_shape, 0.3)
    start = jnp.zeros((T, B), bool).at[jnp.array([0, 40, 149]), jnp.arange(B)].set(True)
    attend = jax.jit(lambda carry: linear_attention(
        query, key, value, log_decay, carry, start, mode=mode
    ))  # fmt: skip
    carry, y = attend(jnp.full_like(carry, jnp.nan))
    assert np.isfinite(carry).all()
    for b, t in enumerate([0, 40, 149]):
        assert np.isfinite(y[t:, b]).all() and not np.isfinite(y[:t, b]).any()


@pytest.mark.slow
def test_decays_of_zero_forget_all():
    query, key, value, log_decay, carry, start = inputs(1, 1.0)
    for decay in (log_decay, jnp.broadcast_to(log_decay, key.shape)):
        decay = jnp.full_like(decay, -jnp.inf)
        _, y = linear_attention(query, key, value, decay, carry, jnp.zeros_like(start))
        alone = jnp.einsum("tbhk,tbhk,tbhv->tbhv", query, key, value)
        np.testing.assert_allclose(y, alone, atol=1e-4)


@pytest.mark.slow
def test_the_gradient_never_holds_a_state_for_every_step():
    """Peak memory at T = 512, K = V = 128: far below the T K V numbers of a plain scan."""
    length, width = 512, 128

    def loss(x, carry, start, mode):
        return linear_attention(x, x, x, None, carry, start, mode=mode)[1].sum()

    x = jax.ShapeDtypeStruct((length, 1, 1, width), jnp.float32)
    carry = jax.ShapeDtypeStruct((1, 1, width, width), jnp.float32)
    start = jax.ShapeDtypeStruct((length, 1), bool)
    for mode in ("parallel", "recurrent"):
        grad = jax.jit(jax.grad(loss), static_argnames="mode")
        memory = grad.lower(x, carry, start, mode).compile().memory_analysis()
        assert memory.temp_size_in_bytes < 4 * length * width * width / 3, mode


def test_chunks_are_told_their_segments():
    def step(carry, xs, segment):
        return carry + 1, (xs, segment)

    start = jnp.zeros((10, 1), bool).at[jnp.array([2, 3, 9])].set(True)
    carry, (xs, segment) = chunked_scan(step, jnp.zeros(1), jnp.arange(10.0)[:, None], start, 4)
    assert carry[0] == 3
    np.testing.assert_array_equal(xs[:, 0], np.arange(10))
    np.testing.assert_array_equal(segment[:, 0], [0, 0, 1, 2, 0, 0, 0, 0, 0, 1])
