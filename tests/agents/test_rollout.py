"""From environment and policy to data."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.agent import Agent
from agents.evaluate import evaluate
from agents.inputs import agent_input, input_size
from agents.rollout import collect, reset_actors
from tests.support.probes import Recall, any_parameters, small_network

KEY = jax.random.key(0)


def test_the_input_is_observation_previous_action_and_start():
    env = popjax.make("RepeatPreviousEasy")
    obs, action = jnp.array([2, 2]), jnp.array([1, 1])
    x = agent_input(env, obs, action, jnp.array([False, True]), "obs+action")
    assert x.shape == (2, input_size(env, "obs+action"))
    assert x.tolist() == [[0, 0, 1, 0, 0, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 0, 0, 1]]
    bare = agent_input(env, obs, action, jnp.array([False, True]), "obs")
    assert bare.tolist() == [[0, 0, 1, 0, 0], [0, 0, 1, 0, 1]]


def test_row_and_column_can_be_read_as_one_cell():
    env = popjax.make("BattleshipEasy")
    shots, start = jnp.array([[2, 5], [7, 7]]), jnp.array([False, True])
    x = agent_input(env, jnp.array([1, 0]), shots, start, "obs+joint")
    assert x.shape == (2, input_size(env, "obs+joint")) == (2, 2 + 64 + 1)
    assert x[0, 2:66].argmax() == 2 * 8 + 5 and x[0, 2:66].sum() == 1
    assert x[1, 2:].tolist() == [0] * 64 + [1]  # nothing was shot at before the first
    one = popjax.make("RepeatPreviousEasy"), jnp.array(2), jnp.array(1), jnp.array(False)
    real = popjax.make("PositionOnlyPendulumEasy"), jnp.ones(2), jnp.ones(1), jnp.array(False)
    for same in (one, real):
        assert agent_input(*same, "obs+joint").tolist() == agent_input(*same, "obs+action").tolist()


@cache
def rollout(env, num_steps, memory="gru", num_envs=5):
    network = small_network(env, memory)
    agent = Agent.of(env, network)
    params = any_parameters(network, input_size(env, agent.inputs))

    @jax.jit
    def run(params):
        actor = reset_actors(env, agent, KEY, num_envs)
        return collect(env, agent, params, actor, KEY, num_steps)

    return agent, params, run(params)


def test_start_follows_the_last_step_of_an_episode():
    env = popjax.make("RepeatFirstEasy")
    _, _, (actor, data, stats) = rollout(env, 120)
    assert data.start[0].all()
    np.testing.assert_array_equal(data.start[1:], data.last[:-1])
    np.testing.assert_array_equal(actor.start, data.last[-1])
    assert data.last.sum() == 5 * 2 == stats.count
    assert stats.length_sum == 5 * 2 * 51


def test_statistics_are_those_of_whole_episodes():
    env = popjax.make("RepeatFirstEasy")
    _, _, (actor, data, stats) = rollout(env, 102)
    np.testing.assert_allclose(stats.return_sum, data.reward.sum(), atol=1e-4)
    assert (actor.episode_length == 0).all() and (actor.episode_return == 0).all()


@pytest.mark.slow
def test_evaluation_plays_whole_episodes_once():
    """A player who always says 0 to `Recall` is right half of the time: returns are +-1."""
    env = Recall(delay=2)
    agent, params, _ = rollout(env, 2)
    params = jax.tree.map(jnp.zeros_like, params)  # all logits are alike, and the first is taken
    returns = jax.jit(lambda p: evaluate(env, agent, p, KEY, 200, greedy=True))(params)
    assert set(returns.tolist()) == {1.0, -1.0}
