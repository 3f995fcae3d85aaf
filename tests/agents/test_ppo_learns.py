"""PPO solves what can be solved, and nothing else."""

from functools import partial

import jax
import pytest

from agents.agent import Agent
from agents.distributions import num_outputs
from agents.evaluate import evaluate
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone
from agents.ppo import PPOConfig
from tests.support.probes import Aim, Recall, quick, small_network, train


@partial(quick, static_argnums=(0, 1, 4))
def greedy_returns(env, network, params, key, inputs="obs+action"):
    return evaluate(env, Agent.of(env, network, inputs), params, key, 256, True)


@pytest.mark.slow  # by default: test_trained.py learns to remember
@pytest.mark.parametrize(
    ("env", "memory"),
    [
        (Recall(), "mlp"),
        (Recall(delay=1), "gru"),
        (Recall(delay=3, delayed_reward=True), "gru"),
        (Recall(delay=3), "gru"),
    ],
    ids=["see and say", "two steps", "delayed reward", "memory needed"],
)
def test_probe_is_solved(env, memory):
    network = small_network(env, memory)
    config = PPOConfig(num_envs=16, num_steps=16, num_epochs=4, num_minibatches=2)
    state, _ = train(env, network, config, 60, learning_rate=3e-3, entropy=0.0)
    assert greedy_returns(env, network, state.params, jax.random.key(1)).mean() > 0.95


@pytest.mark.slow  # by default: integers are learned, reals have their densities
@pytest.mark.parametrize("squash", [False, True], ids=["clipped", "squashed"])
def test_reals_are_aimed(squash):
    """A shown number is to be hit; the old policy and its replay agree with reals too."""
    backbone = Backbone((MEMORIES["mlp"](features=16),))
    network = ActorCritic(backbone, num_outputs(Aim().action_space), 16, squash=squash)
    config = PPOConfig(num_envs=32, num_steps=8, num_epochs=4, num_minibatches=2)
    state, metrics = train(Aim(), network, config, 80, learning_rate=3e-3, entropy=0.0)
    assert metrics["first_ratio_error"].max() < 1e-3
    returns = greedy_returns(Aim(), network, state.params, jax.random.key(1))
    assert returns.mean() > 0.95  # always 0 gives 0.67


@pytest.mark.slow  # by default: with memory it is none
def test_without_memory_the_delayed_answer_is_a_guess():
    env = Recall(delay=3)
    network = small_network(env, "mlp")
    config = PPOConfig(num_envs=16, num_steps=16, num_epochs=4, num_minibatches=2, inputs="obs")
    state, _ = train(env, network, config, 60, learning_rate=3e-3, entropy=0.0)
    returns = greedy_returns(env, network, state.params, jax.random.key(1), "obs")
    assert abs(returns.mean()) < 0.3
