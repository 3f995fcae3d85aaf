"""The real Stoa and its wrappers accept what `to_stoa` gives; both kinds of end stay apart."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stoa
from stoa.core_wrappers.vmap import VmapWrapper

import popjax
from popjax.adapters.stoa import to_stoa
from tests.support.ids import IDS

B = 8


def play(env, key, num_steps):
    """Random play of `B` episodes: `[T, B]` time steps. `env` is batched."""
    space = env.unwrapped.env.action_space

    def one_step(state, key):
        actions = jax.vmap(space.sample)(jax.random.split(key, B))
        return env.step(state, actions)

    @jax.jit
    def run(key):
        key_reset, key_steps = jax.random.split(key)
        state, first = env.reset(key_reset)
        return first, jax.lax.scan(one_step, state, jax.random.split(key_steps, num_steps))[1]

    return run(key)


@pytest.mark.by_default("VelocityOnlyCartPoleEasy")
@pytest.mark.parametrize("name", IDS)
def test_contract(name):
    native = popjax.ENVS[name]
    env = VmapWrapper(to_stoa(native), num_envs=B)
    first, told = play(env, jax.random.key(0), native.max_steps)
    assert isinstance(to_stoa(native), stoa.Environment)
    assert (first.step_type == stoa.StepType.FIRST).all() and (first.discount == 1).all()
    assert told.step_type.dtype == first.step_type.dtype == jnp.int8
    space = to_stoa(native).observation_space()
    assert told.observation.dtype == space.dtype
    assert bool(space.contains(first.observation[0]))
    assert bool(
        to_stoa(native).action_space().contains(native.action_space.sample(jax.random.key(0)))
    )
    last = np.asarray(told.last())
    assert last.any(axis=0).all()


def ends(name):
    """Step types and discounts of the first end of each episode."""
    native = popjax.ENVS[name]
    _, told = play(VmapWrapper(to_stoa(native), num_envs=B), jax.random.key(1), native.max_steps)
    end = np.asarray(told.last()).argmax(axis=0), np.arange(B)
    return np.asarray(told.step_type)[end], np.asarray(told.discount)[end]


def test_a_natural_end_is_step_type_2_with_discount_0():
    for name in ("RepeatFirstEasy", "PositionOnlyCartPoleEasy"):
        kinds, discounts = ends(name)
        assert (kinds == 2).all() and (discounts == 0).all()


def test_the_time_limit_is_step_type_3_with_discount_1():
    kinds, discounts = ends("PositionOnlyPendulumHard")
    assert (kinds == 3).all() and (discounts == 1).all()


@pytest.mark.by_default("PositionOnlyPendulumHard")
@pytest.mark.parametrize("name", ["MineSweeperEasy", "PositionOnlyPendulumHard"])
def test_the_wrappers_of_stoix(name):
    native = popjax.ENVS[name]
    env = stoa.RecordEpisodeMetrics(stoa.AddRNGKey(to_stoa(native)))
    env = VmapWrapper(stoa.AutoResetWrapper(env, next_obs_in_extras=True), num_envs=B)
    _, told = play(env, jax.random.key(0), 2 * native.max_steps)
    last = np.asarray(told.last())
    assert (last.sum(axis=0) >= 2).all()
    metrics = told.extras["episode_metrics"]
    np.testing.assert_array_equal(metrics["is_terminal_step"], last)
    assert (metrics["episode_length"][last] <= native.max_steps).all()
    assert (metrics["episode_length"][last] > 0).all()
    goes_on = ~last
    np.testing.assert_array_equal(
        np.asarray(told.extras["next_obs"])[goes_on], np.asarray(told.observation)[goes_on]
    )


def test_start_flag_and_previous_action():
    """Stoix's own wrapper wants flat observations."""
    env = stoa.AddStartFlagAndPrevAction(to_stoa(popjax.ENVS["RepeatPreviousEasy"], flat_obs=True))
    assert env.observation_space().shape == (1 + 4 + 4,)
    state, timestep = jax.jit(env.reset)(jax.random.key(0))
    assert timestep.observation.shape == (9,) and timestep.observation[0] == 1
    _, timestep = jax.jit(env.step)(state, jnp.int32(3))
    assert timestep.observation[:5].tolist() == [0, 0, 0, 0, 1]


def test_a_board_as_one_number():
    env = stoa.MultiDiscreteToDiscreteWrapper(to_stoa(popjax.ENVS["MineSweeperEasy"]))
    assert env.action_space().num_values == 16
    state, _ = jax.jit(env.reset)(jax.random.key(0))
    step = jax.jit(env.step)
    state, _ = step(state, jnp.int32(6))
    assert state.hidden.viewed[1, 2] and state.hidden.viewed.sum() == 1
