"""`agents.train`: one call trains what `popjax train` trains, and gives an agent that acts."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import agents
import popjax
from agents.memory import Memory
from agents.ppo import PPOConfig
from experiments.results.spec import NetworkConfig, Settings
from experiments.results.store import Cell
from experiments.train.cell import cell
from experiments.train.run import run_cell
from popjax.core import Environment, first, then
from popjax.spaces import Discrete

TINY = {
    "total_steps": 128,
    "features": 8,
    "num_segments": 2,
    "num_envs": 4,
    "num_steps": 16,
    "num_epochs": 1,
    "num_minibatches": 2,
    "learning_rate": 1e-3,
}


@dataclass(frozen=True)
class Recall(Environment):
    """A bit is shown once; say it one step later."""

    max_steps = 2
    observation_space = Discrete(3)
    action_space = Discrete(2)

    def reset(self, key):
        bit = jax.random.bernoulli(key).astype(jnp.int32)
        return (bit, jnp.int32(0)), first(1 + bit)

    def transition(self, key, state, action):
        (bit, t), last = state, state[1] == 1
        return (bit, t + 1), then(jnp.int32(0), last * (2.0 * (action == bit) - 1), last)


class Kept(Memory):
    """Everything summed since the start."""

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features))

    @nn.compact
    def __call__(self, carry, x, start):
        x = nn.tanh(nn.Dense(self.features)(x))

        def step(total, inputs):
            x, start = inputs
            total = jnp.where(start[:, None], 0.0, total) + x
            return total, total

        return jax.lax.scan(step, carry, (x, start))


@pytest.fixture(scope="module")
def trained():
    """Two seeds of a user's own environment and memory, trained until they remember."""
    lines = []
    found = agents.train(
        Recall(),
        Kept,
        total_steps=20_480,
        seeds=2,
        features=8,
        num_segments=5,
        report=lines.append,
        num_steps=16,
        gamma=0.9,
    )
    return found, lines


def test_ten_lines_train_evaluate_save_load_and_act(trained, tmp_path):
    found, lines = trained
    assert found.evaluate(64, greedy=True).shape == (2, 64)
    assert found.evaluate(64, greedy=True).mean() > 0.9, "memory is needed, and learned"
    assert len(lines) == 5 and lines[-1].startswith("20,480 steps: return ")
    found.save(tmp_path / "mine.npz")
    policy = agents.load(tmp_path / "mine.npz", seed=1)
    carry, action = policy.act(jax.random.key(0), policy.initial_carry(), 1 + 1)
    carry, action = policy.act(jax.random.key(0), carry, 0)
    assert action == 1 and policy.env == "Recall" and policy.seed == 1
    same = found.policy(seed=1)
    jax.tree.map(np.testing.assert_array_equal, policy.params, same.params)


def test_curves_have_a_row_a_seed_and_a_column_an_update(trained):
    found, _ = trained
    updates = 20_480 // (16 * 16)
    assert found.curves["return"].shape == found.curves["loss"].shape == (2, updates)
    assert found.curves["step"].tolist() == list(range(256, 20_481, 256))
    assert found.curves["return"][:, -1].mean() > found.curves["return"][:, 0].mean()


def test_it_is_short_to_look_at(trained):
    found, _ = trained
    assert repr(found).startswith("TrainedAgent(Policy(Recall, ") and len(repr(found)) < 120


@pytest.mark.slow  # by default: each of the two ways trains
def test_it_is_what_the_command_trains(tmp_path):
    """The same seeds, settings and programs: the same parameters, bit by bit, and returns."""
    found = agents.train("RepeatFirstEasy", "elman", seeds=2, report=None, **TINY)
    sizes = {k: v for k, v in TINY.items() if k.startswith("num_") and k != "num_segments"}
    spec = cell(
        "RepeatFirstEasy",
        "elman",
        Settings(
            total_steps=128, seeds=2, num_segments=2, eval_episodes=8,
            network=NetworkConfig(8, head_features=8),
            ppo=PPOConfig(**sizes), hyperparams={"learning_rate": 1e-3},
        ),
    )  # fmt: skip
    run_cell(tmp_path, spec)
    metrics, evaluation, _ = Cell(tmp_path, spec).read()
    theirs = agents.load(tmp_path / spec.id, seed=1)
    jax.tree.map(np.testing.assert_array_equal, found.policy(seed=1).params, theirs.params)
    assert metrics["loss"][metrics["seed"] == 1].tolist() == found.curves["loss"][1].tolist()
    sampled = evaluation["return"][(evaluation["policy"] == "sampled")].reshape(2, 8)
    np.testing.assert_array_equal(sampled, found.evaluate(8))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (("RepeatFrstEasy",), "did you mean 'RepeatFirstEasy'"),
        ((Recall,), "an environment is a popjax.Environment or its name, not Recall"),
        ((Recall(), "grue"), "did you mean 'gru'"),
        ((Recall(), 3), "a memory is an agents.memory.Memory or its name, not 3"),
        ((Recall(), Memory), "Memory: initial_carry is not defined"),
        (("mymze:TMaze",), "there is no module mymze"),
    ],
)
def test_what_cannot_be_trained_is_one_line(given, says):
    with pytest.raises(ValueError, match=says) as refused:
        agents.train(*given, report=None)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"gama": 0.9}, "no setting is called 'gama': did you mean 'gamma'"),
        ({"gamma": 1.5}, "gamma must be a number from 0 to 1"),
        ({"num_envs": 6}, "must divide num_envs"),
        ({"seeds": 0}, "seeds must be a whole number from 1, not 0"),
    ],
)
def test_a_wrong_setting_is_one_line(settings, says):
    with pytest.raises(ValueError, match=says):
        agents.train(popjax.make("RepeatFirstEasy"), report=None, **settings)
