"""Episodes of an agent are of the same form as those of a player."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.agent import Agent
from agents.distributions import num_outputs
from agents.evaluate import evaluate
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone
from agents.objectives.histories import by_agent, by_player, histories
from agents.policy import Policy
from popjax.floors import code_lengths
from popjax.players import Player
from popjax.players import play as play_player
from popjax.tokens import corpus

ENV = popjax.ENVS["MineSweeperEasy"]
NETWORK = ActorCritic(Backbone((MEMORIES["gru"](features=8),)), num_outputs(ENV.action_space))
AGENT = Agent.of(ENV, NETWORK)


@partial(jax.jit, static_argnames=("num_episodes", "agent", "env"))
def play(params, key, num_episodes, greedy=False, agent=AGENT, env=ENV):
    return histories(env, by_agent(agent, params, num_episodes, greedy), key, num_episodes)[0]


def fresh_params(seed=0):
    return jax.jit(AGENT.init)(jax.random.key(seed))


def test_the_same_form_as_a_players_corpus_and_a_pure_function():
    params = fresh_params()
    episodes = play(params, jax.random.key(0), num_episodes=16)
    like = corpus(ENV, "random", 0, 16)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a.shape, b.shape), episodes, like)
    assert jax.tree.map(lambda a: a.dtype, episodes) == jax.tree.map(lambda a: a.dtype, like)
    again = play(params, jax.random.key(0), num_episodes=16)
    jax.tree.map(np.testing.assert_array_equal, episodes, again)
    other = play(params, jax.random.key(1), num_episodes=16)
    assert not np.array_equal(episodes.action, other.action)


def test_whole_episodes_each_ending_once():
    episodes = play(fresh_params(), jax.random.key(0), num_episodes=16)
    last = np.asarray(episodes.terminated | episodes.truncated)
    valid = np.asarray(episodes.valid)
    assert (last.sum(0) == 1).all()
    np.testing.assert_array_equal(last.argmax(0) + 1, valid.sum(0))
    assert (np.asarray(episodes.reward)[~valid] == 0).all()


@pytest.mark.slow  # by default: each of the two plays
def test_the_returns_are_those_of_evaluation():
    """In the mean, for the keys are used in another order."""
    params = fresh_params()
    episodes = play(params, jax.random.key(0), num_episodes=2048)
    measured = evaluate(ENV, AGENT, params, jax.random.key(1), 2048)
    spread = np.std(episodes.returns) * np.sqrt(2 / 2048)
    assert abs(np.mean(episodes.returns) - np.mean(measured)) < 4 * spread


def test_a_greedy_agent_repeats_itself():
    """All episodes begin with the same observation, so with the same likeliest action."""
    episodes = play(fresh_params(), jax.random.key(0), num_episodes=16, greedy=True)
    assert (episodes.action[0] == episodes.action[0, 0]).all()


PENDULUM = popjax.ENVS["PositionOnlyPendulumEasy"]


@pytest.mark.slow  # by default: those of a player
def test_an_agents_torques_are_those_that_the_motor_gave():
    """A Gaussian says more than the motor can give; whoever acts, plays or reads afterwards sees
    what it gave, so that the law of the pendulum knows more than a guess at 64 bins."""
    network = ActorCritic(
        Backbone((MEMORIES["gru"](features=8),)), num_outputs(PENDULUM.action_space)
    )
    agent = Agent.of(PENDULUM, network)
    params = agent.init(jax.random.key(0))
    episodes = play(params, jax.random.key(0), num_episodes=4, agent=agent, env=PENDULUM)
    torque = np.asarray(episodes.action)
    assert np.abs(torque).max() == 2.0, "some of a standard normal's are beyond"
    nats = code_lengths(PENDULUM, episodes).sum() / episodes.lengths.sum()
    assert nats < np.log(64)
    said = episodes.replace(action=np.where(torque == 2.0, 38.0, torque))
    assert code_lengths(PENDULUM, said).sum() / said.lengths.sum() == nats, "as the motor would"
    policy = Policy(params, agent, "PositionOnlyPendulumEasy", seed=0)
    obs = jnp.tile(jnp.array([1.0, 0.0]), (256, 1))
    carry, action = policy.act(jax.random.key(1), policy.initial_carry(256), obs, greedy=False)
    assert jnp.abs(action).max() == 2.0 and (carry.previous_action == action).all()


def test_who_says_too_much_is_recorded_with_what_was_taken():
    loud = Player("loud", "obs", "baseline", tuple, lambda *_: ((), jnp.full(1, 38.0)))
    env, key = popjax.make("PositionOnlyPendulumEasy", max_steps=3), jax.random.key(0)
    assert (play_player(env, loud, key, 2).action == 2.0).all()
    episodes, _, _ = histories(env, by_player(loud, 2), key, 2)
    assert (episodes.action == 2.0).all()
