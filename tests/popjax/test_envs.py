"""The contract of an environment, for every id there is.

Whole episodes are checked for every id. What levels of one family cannot differ in (they are the
same code with other numbers) is checked at the Easy level, and at the others when slow tests run.
"""

import functools

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct
from hypothesis import given, settings
from hypothesis import strategies as st

import popjax
from popjax import Box, batch
from tests.support.levels import IDS, ONE_LEVEL, check_close

OTHERS_CODE = (  # each is another family with other numbers, or fewer
    *("RepeatPrevious", "PositionOnlyCartPole", "NoisyPositionOnlyCartPole"),
    *("PositionOnlyPendulum", "LabyrinthExplore"),
)
KINDS = [f"{family}Easy" for family in popjax.FAMILIES if family not in OTHERS_CODE]
NUM_EPISODES = 4
STEPS_AFTER_THE_END = 4


class Record(struct.PyTreeNode):
    """`N` episodes that are not stopped at their end. obs: `[T + 1, N, ...]`. reward, last:
    `[T, N]`. inside: `[T + 1, N]` the observation lies in its space. state_is_finite: `[N]`."""

    obs: jax.Array
    reward: jax.Array
    last: jax.Array
    inside: jax.Array
    state_is_finite: jax.Array


@functools.cache
def roller(name):
    """Plays given actions `[T, N, ...]`: one compiled program for an id, whatever the actions."""
    env = popjax.ENVS[name]

    def one_step(states, key_and_actions):
        key, actions = key_and_actions
        return batch.advance(env, key, states, actions)

    def roll(key, actions):
        key_reset, key_steps = jax.random.split(key)
        states, first = batch.reset(env, key_reset, NUM_EPISODES)
        keys = jax.random.split(key_steps, len(actions))
        states, rest = jax.lax.scan(one_step, states, (keys, actions))
        obs = jnp.concatenate([first.obs[None], rest.obs])
        return Record(
            obs=obs,
            reward=rest.reward,
            last=rest.last,
            inside=jax.vmap(jax.vmap(env.observation_space.contains))(obs),
            state_is_finite=jnp.isfinite(jax.vmap(env.markov_state)(states)).all(axis=1),
        )

    return jax.jit(roll)


def roll(name, actions, seed=0):
    return jax.device_get(roller(name)(jax.random.key(seed), actions))


def shape_of_actions(env):
    return (env.max_steps + STEPS_AFTER_THE_END, NUM_EPISODES, *env.action_space.shape)


def random_actions(env, seed=0):
    rng, space, shape = np.random.default_rng(seed), env.action_space, shape_of_actions(env)
    if isinstance(space, Box):
        return rng.uniform(space.low, space.high, shape).astype(np.float32)
    return rng.integers(0, space.sizes, shape).astype(np.int32)


def check_record(name, record):
    """Everything that holds for all actions."""
    env = popjax.ENVS[name]
    assert record.obs.dtype == env.observation_space.dtype
    assert record.obs.shape[2:] == env.observation_space.shape
    assert record.inside.all(), "an observation outside its space, before or after the end"
    assert record.reward.dtype == np.float32 and np.isfinite(record.reward).all()
    assert record.state_is_finite.all()
    assert record.last[: env.max_steps].any(axis=0).all(), "an episode longer than max_steps"
    before_the_end = np.cumsum(record.last, axis=0) - record.last == 0
    returns = (record.reward * before_the_end).sum(axis=0)
    low, high = env.return_bounds
    assert (returns >= low - 1e-5).all() and (returns <= high + 1e-5).all(), returns


@pytest.mark.by_default("RepeatFirstEasy", "MineSweeperEasy", "VelocityOnlyCartPoleEasy")
@pytest.mark.parametrize("name", IDS)
def test_episodes_stay_within_their_bounds(name):
    check_record(name, roll(name, random_actions(popjax.ENVS[name])))


@pytest.mark.by_default(*KINDS)
@pytest.mark.parametrize("name", IDS)
def test_equal_keys_give_equal_episodes_and_other_keys_others(name):
    env = popjax.ENVS[name]
    actions = np.repeat(random_actions(env)[:, :1], NUM_EPISODES, axis=1)
    record, again, other = (roll(name, actions, seed) for seed in (0, 0, 1))
    chex.assert_trees_all_equal(record, again)
    episodes = np.concatenate([record.obs, other.obs], axis=1).swapaxes(0, 1)
    assert len(np.unique(episodes.reshape(2 * NUM_EPISODES, -1), axis=0)) > NUM_EPISODES


def pattern_of(space):
    """A few actions to be repeated for a whole episode: sensible, extreme, or not actions."""
    if isinstance(space, Box):
        bounds = st.sampled_from([*space.low, *space.high, 0.0, np.inf, -np.inf, np.nan])
        number = st.one_of(bounds, st.floats(width=32))
        action = st.tuples(*[number] * len(space.low))
    else:
        sizes = np.ravel(space.sizes).tolist()
        wrong = st.sampled_from([-1, 2**31 - 1, -(2**31), *sizes])
        number = [st.one_of(st.integers(0, n - 1), st.just(n - 1), wrong) for n in sizes]
        action = st.tuples(*number)
    return st.lists(action, min_size=1, max_size=12)


@pytest.mark.by_default(*KINDS)
@pytest.mark.parametrize("name", IDS)
@settings(max_examples=12, deadline=None, derandomize=True, database=None)
@given(data=st.data())
def test_no_actions_lead_out_of_the_bounds(name, data):
    """Actions that lie outside their space are taken as the nearest inside (here all is traced)."""
    env = popjax.ENVS[name]
    shape = shape_of_actions(env)
    pattern = np.array(data.draw(pattern_of(env.action_space)), env.action_space.dtype)
    actions = np.resize(pattern, (shape[0], *pattern.shape[1:])).reshape(shape[0], 1, *shape[2:])
    actions = np.concatenate([np.roll(actions, lane, axis=0) for lane in range(shape[1])], axis=1)
    record = roll(name, actions, data.draw(st.integers(0, 2**32 - 1)))
    check_record(name, record)


@pytest.mark.by_default(*KINDS)
@pytest.mark.parametrize("name", IDS)
def test_an_action_outside_is_the_nearest_one_inside_a_compiled_program(name):
    env = popjax.ENVS[name]
    space, actions = env.action_space, random_actions(env)
    rng = np.random.default_rng(1)
    if isinstance(space, Box):
        beyond = actions * np.where(rng.random(actions.shape) < 0.3, 1e6, 1).astype(np.float32)
        nearest = np.clip(beyond, np.float32(space.low), np.float32(space.high))
    else:
        beyond = actions + rng.choice([0, 0, -99, 99], actions.shape).astype(np.int32)
        nearest = np.clip(beyond, 0, np.int32(space.sizes) - 1)
    assert (beyond != nearest).any()
    chex.assert_trees_all_equal(roll(name, beyond), roll(name, nearest))


@pytest.mark.parametrize("name", IDS)
def test_an_environment_is_a_value(name):
    env = popjax.ENVS[name]
    twin = type(env)(**vars(env))
    assert twin == env and hash(twin) == hash(env) and {env: 1}[twin] == 1


@functools.cache
def compiled(name):
    """Reset and step of one episode."""
    env = popjax.ENVS[name]
    return jax.jit(env.reset), jax.jit(env.step)


@pytest.mark.parametrize("name", ONE_LEVEL)
def test_an_action_outside_its_space_is_an_error_where_its_value_is_known(name):
    env = popjax.ENVS[name]
    state, _ = compiled(name)[0](jax.random.key(0))
    space = env.action_space
    wrong = np.array(space.high) + 1 if isinstance(space, Box) else np.array(space.sizes)
    for action in (wrong, -wrong, np.zeros((*space.shape, 2), space.dtype), np.float64(0.5)):
        with pytest.raises(ValueError, match="is not"):
            env.step(jax.random.key(1), state, action)


@pytest.mark.by_default(
    "RepeatPreviousEasy",
    "VelocityOnlyCartPoleEasy",
    "PositionOnlyPendulumEasy",
)
@pytest.mark.parametrize("name", ONE_LEVEL)
def test_plain_compiled_and_batched_steps_agree(name):
    env = popjax.ENVS[name]
    reset, step = compiled(name)
    batched_step = jax.jit(jax.vmap(env.step))
    actions = random_actions(env)[:3, :3]
    keys = jax.random.split(jax.random.key(2), (4, 3))
    states, timesteps = jax.vmap(env.reset)(keys[0])
    single = [reset(key) for key in keys[0]]
    check_close(env.reset(keys[0, 0]), single[0])
    for t, action in enumerate(actions):
        plain = env.step(keys[t + 1, 0], single[0][0], action[0])
        states, timesteps = batched_step(keys[t + 1], states, action)
        single = [step(keys[t + 1, n], single[n][0], action[n]) for n in range(3)]
        check_close(plain, single[0])
        check_close((states, timesteps), jax.tree.map(lambda *x: jnp.stack(x), *single))


@pytest.mark.parametrize("name", ONE_LEVEL)
def test_a_step_is_traced_once(name):
    """What reset and step return has the same types, so that no second program is compiled."""
    env = popjax.ENVS[name]
    chex.clear_trace_counter()
    step = jax.jit(chex.assert_max_traces(env.step, n=1))
    state, _ = compiled(name)[0](jax.random.key(0))
    for t, action in enumerate(random_actions(env)[:3, 0]):
        state, _ = step(jax.random.key(t), state, jnp.asarray(action))
