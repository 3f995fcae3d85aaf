"""Code written for gymnax 0.x runs on `FiveValueStep`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gymnax.environments import spaces

import popjax
from popjax.adapters.five_value import FiveValueStep
from popjax.adapters.gymnax import to_gymnax
from tests.support.ids import IDS

B = 16


class Wrapper:
    """As in PureJaxRL: what is not here is looked up in the wrapped environment."""

    def __init__(self, env):
        self._env = env

    def __getattr__(self, name):
        return getattr(self._env, name)


class Flatten(Wrapper):
    """PureJaxRL's first wrapper: asks for gymnax's own Box, and flattens."""

    def observation_space(self, params):
        space = self._env.observation_space(params)
        assert isinstance(space, spaces.Box)
        return spaces.Box(space.low, space.high, (int(np.prod(space.shape)),), space.dtype)

    def reset(self, key, params=None):
        obs, state = self._env.reset(key, params)
        return obs.reshape(-1), state

    def step(self, key, state, action, params=None):
        obs, state, reward, over, info = self._env.step(key, state, action, params)
        return obs.reshape(-1), state, reward, over, info


class Log(Wrapper):
    """PureJaxRL's second wrapper: keeps the running return beside the state."""

    def reset(self, key, params=None):
        obs, state = self._env.reset(key, params)
        return obs, (state, jnp.float32(0))

    def step(self, key, state, action, params=None):
        state, total = state
        obs, state, reward, over, info = self._env.step(key, state, action, params)
        total += reward
        info = {**info, "returned_episode": over, "returned_episode_returns": total}
        return obs, (state, jnp.where(over, 0, total)), reward, over, info


def play(env, key, num_steps):
    params = env.default_params

    def one_step(carry, key):
        key_act, key_step = jax.random.split(key)
        actions = jax.vmap(env.action_space(params).sample)(jax.random.split(key_act, B))
        out = jax.vmap(env.step, in_axes=(0, 0, 0, None))(
            jax.random.split(key_step, B), carry[1], actions, params
        )
        return out[:2], (out[0], *out[2:])

    @jax.jit
    def run(key):
        key_reset, key_steps = jax.random.split(key)
        start = jax.vmap(env.reset, in_axes=(0, None))(jax.random.split(key_reset, B), params)
        return jax.lax.scan(one_step, start, jax.random.split(key_steps, num_steps))[1]

    return run(key)


@pytest.mark.by_default("VelocityOnlyCartPoleEasy")
@pytest.mark.parametrize("name", IDS)
def test_five_values(name):
    env = FiveValueStep(popjax.ENVS[name])
    params = env.default_params
    assert params.max_steps_in_episode == popjax.ENVS[name].max_steps
    assert isinstance(env.action_space(params), spaces.Discrete | spaces.Box)
    obs, _, over, info = play(env, jax.random.key(0), params.max_steps_in_episode)
    assert isinstance(env.observation_space(params), spaces.Discrete | spaces.Box)
    np.testing.assert_array_equal(over, info["terminated"] | info["truncated"])
    assert over.any(axis=0).all()
    goes_on = ~np.asarray(over)
    np.testing.assert_array_equal(info["final_observation"][goes_on], obs[goes_on])
    assert info["final_observation"].shape == obs.shape


@pytest.mark.by_default("RepeatPreviousEasy")
@pytest.mark.parametrize("name", ["RepeatPreviousEasy", "PositionOnlyPendulumHard"])
def test_the_wrappers_of_purejaxrl(name):
    env = Log(Flatten(FiveValueStep(popjax.ENVS[name], flat_obs=True)))
    steps = popjax.ENVS[name].max_steps
    obs, reward, over, info = play(env, jax.random.key(0), steps)
    assert obs.shape == (steps, B, *env.observation_space(env.default_params).shape)
    assert over[-1].all() and info["returned_episode"][-1].all()
    np.testing.assert_allclose(info["returned_episode_returns"][-1], reward.sum(0), atol=1e-5)


@pytest.mark.slow  # by default: five values
def test_the_same_episodes_as_six_values():
    native = popjax.ENVS["MineSweeperEasy"]
    five, six = FiveValueStep(native), to_gymnax(native)
    keys = jax.random.split(jax.random.key(0), B)
    _, state = jax.vmap(six.reset)(keys)
    actions = jnp.arange(B)
    obs, _, reward, over, _ = jax.vmap(five.step)(keys, state, actions)
    same = jax.vmap(six.step)(keys, state, actions)
    np.testing.assert_array_equal(obs, same[0])
    np.testing.assert_array_equal(reward, same[2])
    np.testing.assert_array_equal(over, same[3] | same[4])
