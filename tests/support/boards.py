"""What the tests of the board games share: acting out a script, comparing two samples."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from tests.support.laws import SMALLEST_P


@partial(jax.jit, static_argnames="env")
def follow(env, state, actions):
    """The time steps `[T]` of `actions[T, ...]` taken one after the other, and the last state."""
    keys = jax.random.split(jax.random.key(0), len(actions))
    return jax.lax.scan(
        lambda s, key_and_a: env.step(key_and_a[0], s, key_and_a[1]),
        state,
        (keys, jnp.asarray(actions, jnp.int32)),
    )


def begin(env, seed=0):
    return jax.jit(env.reset)(jax.random.key(seed))[0]


def initial_states(env, num_boards, seed=0):
    """The hidden states `[N, ...]` of so many resets, as arrays."""
    keys = jax.random.split(jax.random.key(seed), num_boards)
    return jax.device_get(jax.jit(jax.vmap(env.reset))(keys)[0])


def check_same_means(ours, theirs, where=""):
    """Two samples `[N, ...]` and `[M, ...]` have the same mean in every place (Welch's test; where
    neither varies, they must be equal)."""
    ours, theirs = (np.reshape(x, (len(x), -1)).astype(np.float64) for x in (ours, theirs))
    varies = (ours.std(0) > 0) | (theirs.std(0) > 0)
    np.testing.assert_array_equal(ours[0, ~varies], theirs[0, ~varies], err_msg=where)
    p = stats.ttest_ind(ours[:, varies], theirs[:, varies], equal_var=False).pvalue
    assert p.min() > SMALLEST_P, f"{where}: p = {p.min()} in place {p.argmin()}"


def pairs_at(boards, down, right):
    """`[N]`: how many pairs of marked cells lie so far apart on each board `[N, rows, cols]`."""
    rows, cols = boards.shape[1:]
    here = boards[:, : rows - down, max(0, -right) : cols - max(0, right)]
    there = boards[:, down:, max(0, right) : cols + min(0, right)]
    return (here & there).sum((1, 2))


LAGS = [(0, 1), (1, 0), (1, 1), (1, -1), (0, 2), (2, 0), (0, 3), (3, 0), (2, 2), (3, -1)]
