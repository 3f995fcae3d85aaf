"""Only episodes that ended begin anew, each as it would alone."""

import jax
import jax.numpy as jnp
import numpy as np

from popjax.adapters.renewal import renew, typed


def begin(key):
    return {"x": jax.random.normal(key, (3,)), "n": jnp.int32(7)}


def one(key, over, n):
    return renew(begin, key, over, {"x": jnp.zeros(3), "n": n})


def expected(keys, over, n):
    fresh = jax.vmap(begin)(keys)
    return np.where(over[..., None], fresh["x"], 0), np.where(over, 7, n)


def test_a_batch_is_each_episode_alone():
    keys = jax.random.split(jax.random.key(0), 100)
    for chance in (0.0, 0.1, 1.0):
        over = jax.random.bernoulli(jax.random.key(1), chance, (100,))
        n = jnp.arange(100)
        got = jax.jit(jax.vmap(one))(keys, over, n)
        x, n = expected(keys, over, n)
        np.testing.assert_array_equal(got["x"], x)
        np.testing.assert_array_equal(got["n"], n)
    alone = jax.jit(one)(keys[3], True, 0)
    np.testing.assert_array_equal(alone["x"], begin(keys[3])["x"])


def test_batches_of_batches_and_shared_arguments():
    keys = jax.random.split(jax.random.key(0), (2, 40))
    over = jax.random.bernoulli(jax.random.key(1), 0.3, (2, 40))
    got = jax.jit(jax.vmap(jax.vmap(one, in_axes=(0, 0, None)), in_axes=(0, 0, None)))(
        keys, over, jnp.int32(1)
    )
    x, n = expected(keys.reshape(-1), over.reshape(-1), 1)
    np.testing.assert_array_equal(got["x"], x.reshape(2, 40, 3))
    np.testing.assert_array_equal(got["n"], n.reshape(2, 40))


def test_only_what_ended_is_reset():
    """Of 4,096 episodes a single one ends: one group of 256 is drawn, not all."""
    resets = []

    def counting(key):
        jax.debug.callback(lambda k: resets.append(1), key)
        return jnp.float32(0)

    over = jnp.zeros(4096, bool).at[5].set(True)
    keys = jax.random.split(jax.random.key(0), 4096)
    step = jax.jit(jax.vmap(lambda k, o: renew(counting, k, o, jnp.float32(1))))
    assert float(jnp.sum(step(keys, over))) == 4095
    jax.effects_barrier()
    assert len(resets) == 256


def test_keys_of_the_older_style_are_understood():
    old = jax.random.key_data(jax.random.key(3))
    assert typed(old) == typed(jax.random.key(3))
