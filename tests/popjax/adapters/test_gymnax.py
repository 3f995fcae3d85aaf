"""The real gymnax accepts what `to_gymnax` gives, and plays the very same episodes."""

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnax.environments import environment, spaces
from gymnax.wrappers.purerl import FlattenObservationWrapper, LogWrapper

import popjax
from popjax.adapters.gymnax import register_with_gymnax, to_gymnax
from tests.support.ids import IDS

B = 16


def play(env, params, key, num_steps):
    """Random play of B episodes under vmap: `[T, B]` outputs of step, and the actions."""

    def one_step(carry, key):
        _, state = carry
        key_act, key_step = jax.random.split(key)
        actions = jax.vmap(env.action_space(params).sample)(jax.random.split(key_act, B))
        step = jax.vmap(env.step, in_axes=(0, 0, 0, None))
        out = step(jax.random.split(key_step, B), state, actions, params)
        return out[:2], (*out[:1], *out[2:], actions)

    @jax.jit
    def run(key):
        key_reset, key_steps = jax.random.split(key)
        start = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key_reset, B), params)
        return start[0], jax.lax.scan(one_step, start, jax.random.split(key_steps, num_steps))[1]

    return run(key)


@pytest.mark.by_default("PositionOnlyPendulumHard")
@pytest.mark.parametrize("name", IDS)
def test_contract(name):
    env, native = to_gymnax(popjax.ENVS[name]), popjax.ENVS[name]
    params = env.default_params
    assert isinstance(env, environment.Environment)
    assert params.max_steps_in_episode == native.max_steps
    first, (obs, reward, terminated, truncated, info, _) = play(
        env, params, jax.random.key(0), native.max_steps + 5
    )
    space = env.observation_space(params)
    assert isinstance(space, spaces.Box if space.shape else spaces.Discrete)
    for seen in (first, obs, info["final_observation"]):
        assert seen.dtype == space.dtype and seen.shape[-len(space.shape) or seen.ndim :] == (
            space.shape
        )
        assert jax.vmap(space.contains)(seen.reshape(-1, *space.shape)).all()
    assert terminated.dtype == truncated.dtype == bool and reward.dtype == jnp.float32
    last = terminated | truncated
    assert last.any(axis=0).all(), "every episode ends within max_steps"
    np.testing.assert_array_equal(info["terminated"], terminated)
    np.testing.assert_array_equal(info["truncated"], truncated)
    goes_on = ~np.asarray(last)
    np.testing.assert_array_equal(info["final_observation"][goes_on], obs[goes_on])


@pytest.mark.by_default("ConcentrationEasy", "PositionOnlyPendulumHard")
@pytest.mark.parametrize("name", IDS)
def test_step_env_is_the_environment_itself(name):
    native = popjax.ENVS[name]
    env = to_gymnax(native)
    params = env.default_params

    @jax.jit
    def both(key):
        def one_step(carry, key):
            state, hidden = carry
            key_act, key = jax.random.split(key)
            action = native.action_space.sample(key_act)
            number = action
            if env.action_space(params).shape != native.action_space.shape:  # row and column
                number = action[0] * native.action_space.sizes[1] + action[1]
            obs, state, reward, terminated, _ = env.step_env(key, state, number, params)
            hidden, timestep = native.step(key, hidden, action)
            ours = (timestep.obs, timestep.reward, timestep.terminated, timestep.truncated)
            theirs = (obs, reward, terminated, env.is_truncated(state, params))
            return (state, hidden), (ours, theirs)

        key, key_reset = jax.random.split(key)
        obs, state = env.reset_env(key_reset, params)
        hidden, timestep = native.reset(key_reset)
        return (obs, timestep.obs), jax.lax.scan(
            one_step, (state, hidden), jax.random.split(key, min(native.max_steps, 100))
        )[1]

    first, (ours, theirs) = both(jax.random.key(2))
    np.testing.assert_array_equal(*first)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_made_by_gymnax_and_logged_by_its_wrapper():
    names = register_with_gymnax()
    assert names == list(popjax.ENVS) == register_with_gymnax()
    assert set(names) <= set(gymnax.registered_envs)
    env, params = gymnax.make("RepeatFirstEasy")
    _, (_, reward, terminated, truncated, info, _) = play(
        LogWrapper(env), params, jax.random.key(0), 120
    )
    last = np.asarray(terminated | truncated)
    assert (np.flatnonzero(last[:, 0]) + 1 == [51, 102]).all()
    np.testing.assert_array_equal(info["returned_episode"], last)
    np.testing.assert_array_equal(info["returned_episode_lengths"][50], np.full(B, 51))
    np.testing.assert_allclose(
        info["returned_episode_returns"][50], reward[:51].sum(axis=0), atol=1e-5
    )
    changed, _ = gymnax.make("RepeatPreviousEasy", k=8, flat_obs=True)
    assert changed.env == popjax.make("RepeatPreviousEasy", k=8)


def test_flat_observations_are_one_hot_boxes():
    env = FlattenObservationWrapper(to_gymnax(popjax.ENVS["CountRecallEasy"], flat_obs=True))
    params = env.default_params
    assert env.observation_space(params).shape == (4,)
    _, (obs, *_) = play(env, params, jax.random.key(0), 60)
    assert obs.shape == (60, B, 4) and obs.dtype == jnp.float32
    np.testing.assert_array_equal(obs.sum(axis=-1), 2)


def test_a_shorter_limit_cuts_episodes_short():
    env = to_gymnax(popjax.ENVS["PositionOnlyPendulumHard"])
    params = env.default_params.replace(max_steps_in_episode=10)
    _, (_, _, terminated, truncated, _, _) = play(env, params, jax.random.key(0), 30)
    assert not terminated.any()
    np.testing.assert_array_equal(truncated[:, 0], np.arange(1, 31) % 10 == 0)


def test_a_natural_end_at_the_limit_is_no_truncation():
    """RepeatFirst always ends after 51 steps, and never by the clock."""
    env = to_gymnax(popjax.ENVS["RepeatFirstEasy"])
    _, (_, _, terminated, truncated, _, _) = play(env, env.default_params, jax.random.key(0), 60)
    assert terminated[50].all() and not truncated.any()


def test_equal_environments_share_one_compilation():
    one, other = (to_gymnax(popjax.make("RepeatFirstEasy")) for _ in range(2))
    assert one == other and hash(one) == hash(other)
    assert one != to_gymnax(popjax.make("RepeatFirstEasy"), flat_obs=True)
    one.reset(jax.random.key(0))
    before = type(one).reset._cache_size()
    other.reset(jax.random.key(0))
    assert type(one).reset._cache_size() == before


def test_keys_of_the_older_style():
    env = to_gymnax(popjax.ENVS["RepeatFirstEasy"])
    old = jax.random.key_data(jax.random.key(0))
    np.testing.assert_array_equal(env.reset(old)[0], env.reset(jax.random.key(0))[0])
