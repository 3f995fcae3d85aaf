"""Environments of gymnax and of Stoa under our protocol: the same episodes, step by step."""

from types import SimpleNamespace

import gymnax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import stoa
from gymnax.environments import spaces

import popjax
from agents import trained
from popjax import batch
from popjax.adapters.gymnax import from_gymnax, to_gymnax
from popjax.adapters.stoa import from_stoa, to_stoa

CHAIN = "MemoryChain-bsuite"


@pytest.mark.by_default("Pendulum-v1", "Catch-bsuite")
@pytest.mark.parametrize("name", [CHAIN, "CartPole-v1", "Pendulum-v1", "Catch-bsuite"])
def test_an_episode_of_gymnax_is_the_same_step_by_step(name):
    """An observation array of any shape is a vector; an action goes back into its own shape."""
    theirs, params = gymnax.make(name)
    ours = from_gymnax((theirs, params))
    key = jax.random.key(1)
    obs, inner = jax.jit(theirs.reset_env)(key, params)
    state, timestep = jax.jit(ours.reset)(key)
    step, plain = jax.jit(ours.step), jax.jit(theirs.step_env)
    for t in range(12):
        np.testing.assert_allclose(timestep.obs, np.ravel(obs), rtol=1e-5, atol=1e-6)
        if timestep.last:
            break
        key = jax.random.fold_in(key, t)
        action = ours.action_space.sample(key)
        shape = theirs.action_space(params).shape
        obs, inner, reward, over, _ = plain(key, inner, jnp.reshape(action, shape), params)
        state, timestep = step(key, state, action)
        np.testing.assert_allclose(timestep.reward, np.squeeze(reward), rtol=1e-6)
        assert timestep.terminated == over and not timestep.truncated
    assert ours.max_steps == params.max_steps_in_episode


def test_the_time_limit_truncates_and_can_be_shorter():
    env = from_gymnax(gymnax.make("Pendulum-v1"), max_steps=3)
    states, timesteps = jax.jit(batch.reset, static_argnums=(0, 2))(env, jax.random.key(0), 2)
    advance = jax.jit(batch.advance, static_argnums=0)
    ends = []
    for t in range(3):
        action = jnp.zeros((2, 1))
        states, timesteps = advance(env, jax.random.key(t), states, action)
        ends.append((timesteps.truncated.all().item(), timesteps.terminated.any().item()))
    assert ends == [(False, False), (False, False), (True, False)] and env.max_steps == 3


class Count(stoa.Environment):
    """Stoa's protocol to the letter: say how many ones were drawn so far, in an array of 2 x 2."""

    def reset(self, rng_key, env_params=None):
        state = {"key": rng_key, "ones": jnp.int32(0), "left": 4}
        return state, self.told(stoa.StepType.FIRST, 0.0, 0)

    def step(self, state, action, env_params=None):
        key, draw = jax.random.split(state["key"])
        drawn = jax.random.bernoulli(draw).astype(jnp.int32)
        left, right = state["left"] - 1, action[0] == state["ones"]
        kind = jnp.where(left == 0, stoa.StepType.TRUNCATED, stoa.StepType.MID)
        kind = jnp.where(action[1] == 0, stoa.StepType.TERMINATED, kind)
        state = {"key": key, "ones": state["ones"] + drawn, "left": left}
        return state, self.told(kind, right.astype(jnp.float32), drawn)

    def told(self, kind, reward, drawn):
        obs = jnp.full((2, 2), drawn, jnp.int32)
        return stoa.TimeStep(kind, jnp.float32(reward), jnp.float32(1.0), obs, {})

    def observation_space(self, env_params=None):
        return stoa.BoundedArraySpace((2, 2), jnp.int32, 0, 1)

    def state_space(self, env_params=None):
        raise NotImplementedError

    def action_space(self, env_params=None):
        return stoa.MultiDiscreteSpace(jnp.array([5, 2]), jnp.int32)


def test_an_episode_of_stoa_is_the_same_step_by_step():
    """Its two ends are told apart, and it ends nowhere else."""
    theirs, ours = Count(), from_stoa(Count(), max_steps=20)
    assert ours.observation_space.shape == (4,) and ours.action_space.sizes == (5, 2)
    step = jax.jit(ours.step)
    for stops, ends in ((9, (False, True)), (1, (True, False))):
        inner, told = theirs.reset(jax.random.key(2))
        state, timestep = ours.reset(jax.random.key(2))
        for t in range(4):
            np.testing.assert_array_equal(timestep.obs, jnp.ravel(told.observation))
            if timestep.last:
                break
            action = jnp.array([0, int(t != stops)])
            inner, told = theirs.step(inner, action)
            state, timestep = step(jax.random.key(t), state, action)
            assert timestep.reward == told.reward
        assert (timestep.terminated.item(), timestep.truncated.item()) == ends


@pytest.mark.by_default("MineSweeperEasy")
@pytest.mark.parametrize("name", ["RepeatFirstEasy", "MineSweeperEasy", "PositionOnlyPendulumEasy"])
def test_there_and_back_again_is_the_same_task(name):
    """Through gymnax, which has no action of several integers, and through Stoa, which has."""
    env = popjax.make(name)
    key = jax.random.key(3)
    for other in (from_gymnax(to_gymnax(env)), from_stoa(to_stoa(env), env.max_steps)):
        assert other.max_steps == env.max_steps and other.name in (env.name, "StoaEnvironment")
        assert other.observation_space.shape == env.observation_space.shape
        state, timestep = jax.jit(other.reset)(key)
        assert env.observation_space.contains(timestep.obs.astype(env.observation_space.dtype))
        state, timestep = other.step(key, state, other.action_space.sample(key))
        assert timestep.reward.shape == () and not timestep.truncated


def test_equal_ones_are_equal():
    short = gymnax.make(CHAIN)[1].replace(memory_length=2)
    one, two = (from_gymnax(gymnax.make(CHAIN)) for _ in range(2))
    assert one == two and hash(one) == hash(two)
    assert one != from_gymnax(gymnax.make(CHAIN), short) != from_gymnax(gymnax.make(CHAIN))
    assert repr(one) == f"FromGymnax({CHAIN}, max_steps=1000)"


class Odd:
    """What a test needs of a gymnax environment."""

    name = "Odd"
    default_params = SimpleNamespace(max_steps_in_episode=5)

    def __init__(self, observation, action):
        self.observation_space = lambda params: observation
        self.action_space = lambda params: action


ONE = spaces.Discrete(2)


@pytest.mark.parametrize(
    ("env", "says"),
    [
        (Odd(spaces.Dict({"a": ONE}), ONE), "Odd has observations in a Dict: gymnax's Discrete"),
        (Odd(ONE, spaces.Tuple([ONE, ONE])), "Odd has actions in a Tuple"),
    ],
)
def test_a_space_that_has_no_counterpart_is_one_line(env, says):
    with pytest.raises(ValueError, match=says) as refused:
        from_gymnax(env)
    assert "\n" not in str(refused.value)


def test_so_is_one_of_stoa():
    env = SimpleNamespace(
        observation_space=lambda params: stoa.DictSpace({"a": stoa.DiscreteSpace(2, jnp.int32)}),
        action_space=lambda params: stoa.DiscreteSpace(2, jnp.int32),
    )
    with pytest.raises(ValueError, match="has observations in a DictSpace: Stoa's DiscreteSpace"):
        from_stoa(env, max_steps=5)
    with pytest.raises(ValueError, match=r"max_steps of .* is a whole number of 1 or more, not 0"):
        from_stoa(to_stoa(popjax.make("RepeatFirstEasy")), max_steps=0)


@pytest.mark.slow
def test_an_agent_with_memory_learns_the_memory_chain():
    """Which asks at the end for what was shown at the start: 0 without memory, 1 with it."""
    env = from_gymnax(gymnax.make(CHAIN), max_steps=10)
    found = trained.train(env, "gru", total_steps=60_000, features=16, report=None)
    assert found.evaluate(128, greedy=True).mean() > 0.9
