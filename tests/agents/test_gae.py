"""Advantages: by hand, and at an end, at a time limit, and at the edge of a rollout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.agent import Agent
from agents.gae import gae
from agents.inputs import agent_input, input_size
from agents.rollout import collect, reset_actors
from tests.support.probes import Cut, any_parameters, quick, small_network


def test_gae_by_hand():
    """Three steps worth working out: gamma 0.9, lambda 0.5, the second ends an episode."""
    reward = jnp.array([[1.0], [2.0], [3.0]])
    value = jnp.array([[0.5], [1.0], [-1.0]])
    last = jnp.array([[False], [True], [False]])
    advantage, target = gae(reward, value, last, jnp.array([4.0]), 0.9, 0.5)
    third = 3 + 0.9 * 4 - -1  # goes on into the bootstrap
    second = 2 - 1  # nothing follows an end
    first = (1 + 0.9 * 1 - 0.5) + 0.9 * 0.5 * second
    np.testing.assert_allclose(advantage.ravel(), [first, second, third], rtol=1e-6)
    np.testing.assert_allclose(target, advantage + value, rtol=1e-6)


def test_gae_of_an_episode_that_was_only_cut_short():
    """At a truncation with bootstrapping the final observation's value takes the future's place,
    and the advantage still does not run on into the next episode."""
    reward, value = jnp.ones((2, 1)), jnp.zeros((2, 1))
    last = jnp.array([[True], [False]])
    final_value = jnp.array([[10.0], [0.0]])
    advantage, _ = gae(reward, value, last, jnp.array([2.0]), 0.5, 1.0, final_value)
    np.testing.assert_allclose(advantage.ravel(), [1 + 0.5 * 10, 1 + 0.5 * 2])


def test_lambda_one_is_the_discounted_return_less_the_value():
    key_reward, key_value, key_last = jax.random.split(jax.random.key(0), 3)
    reward, value = (jax.random.normal(k, (20, 3)) for k in (key_reward, key_value))
    last = jax.random.bernoulli(key_last, 0.2, (20, 3))
    bootstrap = jnp.array([1.0, 2.0, 3.0])
    advantage, _ = gae(reward, value, last, bootstrap, 0.9, 1.0)
    future, expected = np.asarray(bootstrap), []
    for t in reversed(range(20)):
        future = np.asarray(reward[t]) + 0.9 * np.where(last[t], 0.0, future)
        expected.append(future - np.asarray(value[t]))
    np.testing.assert_allclose(advantage, expected[::-1], atol=1e-5)


@pytest.mark.slow
def test_values_beyond_a_time_limit():
    """With bootstrapping at truncation, the last step of an episode that was only cut short knows
    the value of the observation reached, read with the memory of that episode."""
    env = Cut(delay=2)
    network = small_network(env, "gru", 8)
    params = any_parameters(network, input_size(env, "obs+action"))
    agent = Agent.of(env, network)
    actor = reset_actors(env, agent, jax.random.key(0), 3)
    _, data, _ = quick(
        lambda p: collect(env, agent, p, actor, jax.random.key(1), 7, with_final_value=True)
    )(params)
    cut = data.truncated
    assert cut.sum() == 2 * 3 and not data.terminated.any()
    assert ((data.final_value != 0) == cut).all()
    after = agent_input(env, jnp.full(3, 2), data.action[2], jnp.zeros(3, bool), "obs+action")
    x = jnp.concatenate([data.x[:3], after[None]])
    start = jnp.zeros((4, 3), bool).at[0].set(True)
    _, _, value = network.apply(params, actor.carry, x, start)
    np.testing.assert_allclose(data.final_value[2], value[3], rtol=1e-5)


def test_what_follows_an_end_does_not_reach_the_episode_before_it():
    """Not even where the next episode's values are no numbers any more."""
    reward, value = jnp.ones((3, 1)), jnp.array([[0.5], [0.25], [jnp.nan]])
    last = jnp.array([[False], [True], [False]])
    advantage, target = gae(reward, value, last, jnp.full(1, jnp.nan), 0.9, 0.8)
    clean, clean_target = gae(reward, value.at[2].set(0.0), last, jnp.zeros(1), 0.9, 0.8)
    np.testing.assert_array_equal(advantage[:2], clean[:2])
    np.testing.assert_array_equal(target[:2], clean_target[:2])
