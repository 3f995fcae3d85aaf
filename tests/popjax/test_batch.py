"""Many episodes at once: what ended begins anew, and nothing else changes."""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from popjax import batch
from tests.support.levels import ONE_LEVEL, check_close

BATCH = 64


@functools.cache
def renewal(name):
    """Programs for `BATCH` episodes: reset; renew; renew over 3 lanes."""
    env = popjax.ENVS[name]
    renew = functools.partial(batch.renew, env)
    return (
        jax.jit(lambda key: batch.reset(env, key, BATCH)),
        jax.jit(renew),
        jax.jit(jax.vmap(renew)),
    )


MASKS = {  # renew works in groups of 16 here
    "none": np.zeros(BATCH, bool),
    "all": np.ones(BATCH, bool),
    "first": np.arange(BATCH) == 0,
    "last": np.arange(BATCH) == BATCH - 1,
    "one group": np.arange(BATCH) % 4 == 1,
    "more than a group": np.random.default_rng(0).permutation(BATCH) < 17,
    "most": np.random.default_rng(1).permutation(BATCH) < 50,
}


def rows(tree):
    """`[BATCH, bytes]`: a batch as one row of bits an episode."""
    leaves = [np.asarray(leaf).reshape(BATCH, -1) for leaf in jax.tree.leaves(jax.device_get(tree))]
    return np.concatenate([leaf.view(np.uint8).reshape(BATCH, -1) for leaf in leaves], axis=1)


@pytest.mark.by_default(
    "MultiarmedBanditEasy",
    "CountRecallEasy",
    "RepeatFirstEasy",
    "VelocityOnlyCartPoleEasy",
    "PositionOnlyPendulumEasy",
)
@pytest.mark.parametrize("name", ONE_LEVEL)
def test_only_what_ended_begins_anew(name):
    """The others keep their state bit for bit, and reward and flags stay those of the end."""
    reset, renew, _ = renewal(name)
    states, timesteps = reset(jax.random.key(0))
    old = rows((states, timesteps.obs))
    reward = jnp.arange(BATCH, dtype=jnp.float32)
    for mask in MASKS.values():
        ended = timesteps.replace(truncated=jnp.asarray(mask), reward=reward)
        new_states, new = renew(jax.random.key(1), states, ended)
        chex.assert_trees_all_equal(new.replace(obs=0), ended.replace(obs=0))
        untouched = (rows((new_states, new.obs)) == old).all(axis=1)
        assert untouched[~mask].all()
        assert untouched[mask].sum() <= 0.7 * mask.sum() + 1  # chance can repeat a small state


@pytest.mark.by_default(
    "MultiarmedBanditEasy",
    "CountRecallEasy",
    "RepeatFirstEasy",
    "VelocityOnlyCartPoleEasy",
    "PositionOnlyPendulumEasy",
)
@pytest.mark.parametrize("name", ONE_LEVEL)
def test_what_begins_anew_has_the_law_of_a_reset(name):
    env = popjax.ENVS[name]
    reset, renew, _ = renewal(name)
    states, timesteps = reset(jax.random.key(0))
    ended = timesteps.replace(terminated=jnp.asarray(MASKS["all"]))

    def features(states, obs):
        """`[BATCH, f]`: what is shown and what is hidden."""
        hidden = jax.vmap(env.markov_state)(states)
        return np.concatenate([env.observation_space.flatten(obs), hidden], axis=1)

    fresh, naive = [], []
    for seed in range(8):
        new_states, new = renew(jax.random.key(seed), states, ended)
        fresh.append(features(new_states, new.obs))
        reset_states, first = reset(jax.random.key(100 + seed))
        naive.append(features(reset_states, first.obs))
    fresh, naive = np.concatenate(fresh), np.concatenate(naive)
    error = np.sqrt((fresh.var(axis=0) + naive.var(axis=0)) / len(fresh))
    assert (np.abs(fresh.mean(axis=0) - naive.mean(axis=0)) <= 5 * error + 1e-6).all()
    kinds, expected = (len(np.unique(sample, axis=0)) for sample in (fresh, naive))
    assert kinds >= 0.8 * expected, "fresh episodes repeat one another"


@pytest.mark.by_default("RepeatFirstEasy", "VelocityOnlyCartPoleEasy")
@pytest.mark.parametrize("name", ONE_LEVEL)
def test_lanes_of_batches_begin_anew_as_each_alone(name):
    reset, renew, renew_lanes = renewal(name)
    keys = jax.random.split(jax.random.key(3), (2, 3))
    states, timesteps = jax.tree.map(lambda *x: jnp.stack(x), *map(reset, keys[0]))
    masks = jnp.stack([MASKS["none"], MASKS["most"], MASKS["one group"]])
    timesteps = timesteps.replace(terminated=masks)
    lanes = renew_lanes(keys[1], states, timesteps)
    for lane in range(3):
        alone = jax.tree.map(lambda x, lane=lane: x[lane], (states, timesteps))
        check_close(jax.tree.map(lambda x, lane=lane: x[lane], lanes), renew(keys[1, lane], *alone))


def test_a_batch_plays_on_through_the_end_of_its_episodes():
    """RepeatFirstEasy lasts 51 steps: then the card shown is the first of a new deck."""
    env = popjax.make("RepeatFirstEasy")

    def one_step(states, key):
        key_action, key_step = jax.random.split(key)
        actions = jax.random.randint(key_action, (8,), 0, 4)
        states, timesteps = batch.step(env, key_step, states, actions)
        return states, (timesteps, jax.vmap(env.markov_state)(states))

    states, _ = batch.reset(env, jax.random.key(0), 8)
    keys = jax.random.split(jax.random.key(1), 102)
    timesteps, hidden = jax.jit(lambda s, k: jax.lax.scan(one_step, s, k)[1])(states, keys)
    ends = np.array([50, 101])
    assert (np.flatnonzero(timesteps.terminated.all(axis=1)) == ends).all()
    assert timesteps.terminated.sum() == 2 * 8
    np.testing.assert_allclose(np.abs(timesteps.reward), 1 / 51, rtol=1e-6)
    assert (hidden[ends, :, 0] == timesteps.obs[ends]).all()
    np.testing.assert_allclose(hidden[ends, :, 1:].sum(axis=-1) * 13, 51, rtol=1e-6)


@pytest.mark.slow  # by default: they begin anew as each alone
def test_lanes_of_batches_step_as_each_alone():
    env = popjax.make("RepeatPreviousEasy")
    keys = jax.random.split(jax.random.key(4), 3)

    def play(key):
        states, _ = batch.reset(env, key, 4)
        step = functools.partial(batch.step, env, actions=jnp.zeros(4, jnp.int32))

        def one_step(states, key):
            return step(key, states)

        return jax.lax.scan(one_step, states, jax.random.split(key, 60))

    lanes = jax.jit(jax.vmap(play))(keys)
    alone = jax.tree.map(lambda *x: jnp.stack(x), *map(jax.jit(play), keys))
    chex.assert_trees_all_equal(lanes, alone)


@pytest.mark.by_default("RepeatFirstEasy", "VelocityOnlyCartPoleEasy")
@pytest.mark.parametrize("name", ONE_LEVEL)
def test_a_single_episode_begins_anew_only_where_it_ended(name):
    env = popjax.ENVS[name]
    states, timesteps = jax.jit(lambda key: batch.reset(env, key, 1))(jax.random.key(0))
    renew = jax.jit(functools.partial(batch.renew, env))
    for ended in (False, True):
        given = timesteps.replace(terminated=jnp.array([ended]))
        states_after, after = renew(jax.random.key(1), states, given)
        want = (states, timesteps.obs)
        if ended:
            fresh, first = jax.jit(lambda key: batch.reset(env, key, 1))(jax.random.key(1))
            want = (fresh, first.obs)
        chex.assert_trees_all_equal((states_after, after.obs), want)


@pytest.mark.parametrize(
    ("name", "actions"),
    [
        ("RepeatFirstEasy", np.zeros((3, 5), np.int32)),
        ("RepeatFirstEasy", np.zeros(2, np.int32)),
        ("RepeatFirstEasy", np.zeros(3, np.float32)),
        ("RepeatFirstEasy", np.zeros(3, bool)),
        ("PositionOnlyPendulumEasy", np.zeros((3, 3), np.float32)),
        ("PositionOnlyPendulumEasy", np.zeros(3, np.float32)),
        ("PositionOnlyPendulumEasy", np.zeros((3, 1), np.complex64)),
    ],
)
def test_actions_of_another_shape_or_kind_are_refused_compiled_or_not(name, actions):
    env, key = popjax.make(name), jax.random.key(0)
    states, _ = batch.reset(env, key, 3)
    for step in (batch.step, batch.advance):
        plain = functools.partial(step, env, key, states)
        for take in (plain, functools.partial(jax.eval_shape, plain)):
            with pytest.raises(ValueError, match="is not 3 elements of"):
                take(actions)


def test_what_is_no_array_is_no_action():
    env, key = popjax.make("RepeatFirstEasy"), jax.random.key(0)
    states, _ = batch.reset(env, key, 2)
    for actions in ({"suit": 1}, [[0], [1, 2]], "no"):
        with pytest.raises(ValueError, match="actions are an array of numbers"):
            batch.step(env, key, states, actions)


@pytest.mark.parametrize("num_envs", [0, -1, 2.0, True])
def test_a_batch_has_one_episode_or_more(num_envs):
    with pytest.raises(ValueError, match="num_envs is a whole number of 1 or more"):
        batch.reset(popjax.make("RepeatFirstEasy"), jax.random.key(0), num_envs)
