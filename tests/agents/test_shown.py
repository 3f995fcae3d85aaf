"""What a person gives by hand and looks at: one observation, axes in the wrong order, a repr."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents import ppo
from agents.agent import Agent
from agents.hyperparams import Hyperparams
from agents.memory import MEMORIES
from agents.policy import Policy
from agents.small import small
from agents.train_state import TrainState
from popjax.render import Scene


@pytest.fixture(scope="module")
def policy():
    env, network, params = small()
    return Policy(params, Agent.of(env, network), "RepeatFirstEasy", seed=0)


def test_one_observation_acts_as_a_batch_of_one(policy):
    key, carry, alone = jax.random.key(0), policy.initial_carry(1), policy.initial_carry()
    for obs in (3, 1, 0):
        carry, actions = policy.act(key, carry, jnp.array([obs]))
        alone, action = policy.act(key, alone, obs)
        assert action.shape == () and action == actions[0]
    jax.tree.map(np.testing.assert_array_equal, carry, alone)


@pytest.mark.parametrize(
    ("batch_size", "obs", "start", "says"),
    [
        (2, 3, False, "one observation, and a carry of 2 episodes"),
        (2, [1, 2, 3], False, r"shape \(3,\) is not 2 elements of Discrete"),
        (2, [0.5, 1.0], False, "float32 and shape"),
        (2, [1, 2], [True], r"start is of shape \(1,\), not \(2,\)"),
    ],
)
def test_other_shapes_are_one_line(policy, batch_size, obs, start, says):
    carry = policy.initial_carry(batch_size)
    with pytest.raises(ValueError, match=says) as refused:
        policy.act(jax.random.key(0), carry, jnp.array(obs), jnp.array(start))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", MEMORIES)
def test_batch_first_is_told_in_one_line(name):
    """To every model: ten steps of two sequences, given as two of ten."""
    memory = MEMORIES[name](features=8)
    x, start = jnp.zeros((2, 10, 8)), jnp.zeros((2, 10), bool)
    if not jax.tree.leaves(memory.initial_carry(2)):
        x = x[0]  # without a carry nobody can know: two axes are too few for any
    with pytest.raises(ValueError, match="time first, batch second") as refused:
        jax.eval_shape(memory.init, jax.random.key(0), memory.initial_carry(2), x, start)
    assert "\n" not in str(refused.value)


def test_what_one_looks_at_is_short(policy):
    assert repr(policy) == "Policy(RepeatFirstEasy, gru 8, seed 0, 861 parameters)"
    assert all(len(repr(env)) < 80 for env in popjax.ENVS.values())
    shapes = tuple(range(100))
    assert repr(Scene(8.0, 2.5, "many", shapes)) == "Scene('many', 8 x 2.5, 100 shapes)"


@pytest.mark.parametrize("kind", [TrainState, ppo.TrainState])
def test_so_is_the_state_of_a_run(policy, kind):
    own = {} if kind is TrainState else {"actor": None, "kl": jnp.float32(0)}
    state = kind.create(policy.params, jax.random.key(0), Hyperparams(), 12, **own)
    assert repr(state) == "TrainState(update 0 of 12, 861 parameters)"
    lanes = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), state)
    assert repr(lanes) == "TrainState(update [2] of [2], 1,722 parameters)"
