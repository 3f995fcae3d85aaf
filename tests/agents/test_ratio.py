"""Before the first gradient step the replay of a rollout is the rollout: the ratio is 1. Wrong
carries, flags or key order would show."""

import jax
import jax.numpy as jnp
import pytest

import popjax
from agents.agent import Agent
from agents.cells import EquivariantActorCritic, EquivariantBackbone
from agents.distributions import num_outputs
from agents.hyperparams import Hyperparams
from agents.inputs import input_size
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone
from agents.published import PopjaxrlBackbone, paper_backbone
from agents.rollout import collect, reset_actors
from agents.surrogate import Batch, ppo_loss
from tests.support.probes import any_parameters, quick, small_network


def ratio_errors(env, network):
    """How far the replay of a rollout is from the rollout, for two in a row between which
    episodes go on; and how many ended inside. The loss is that of a minibatch, two of four
    columns."""
    agent, columns = Agent.of(env, network), jnp.array([2, 0])

    @quick
    def replayed(params, actor):
        def roll(actor, key):
            after, data, _ = collect(env, agent, params, actor, key, 40)
            return after, Batch(actor.carry, data, data.reward, data.reward)

        def replay(batch):
            return ppo_loss(params, agent, Hyperparams(), batch.columns(columns))[1]["ratio_error"]

        _, batches = jax.lax.scan(roll, actor, jax.random.split(jax.random.key(1)))
        return jax.lax.map(replay, batches), batches.data.last.sum()

    params = any_parameters(network, input_size(env, "obs+action"))
    return replayed(params, reset_actors(env, agent, jax.random.key(0), 4))


@pytest.mark.by_default("transformer")
@pytest.mark.parametrize("memory", MEMORIES)
def test_the_first_ratio_is_one(memory):
    """Before the first gradient step the replay of a rollout is the rollout: wrong carries, flags
    or key order would show."""
    env = popjax.make("RepeatPreviousEasy")
    errors, ended = ratio_errors(env, small_network(env, memory))
    assert ended == 4 and (errors < 2e-5).all()


@pytest.mark.slow  # by default: with none
@pytest.mark.parametrize(
    ("env", "options"),
    [
        ("BattleshipEasy", {}),
        ("BattleshipEasy", {"num_actions": 64}),
        ("PositionOnlyPendulumEasy", {}),
        ("PositionOnlyPendulumEasy", {"squash": True}),
        ("PositionOnlyPendulumEasy", {"free": 1}),
        ("RepeatPreviousEasy", {"critic": Backbone((MEMORIES["lru"](features=8),))}),
        ("RepeatPreviousEasy", {"backbone": paper_backbone((MEMORIES["fart"](features=8),), 8)}),
        ("RepeatPreviousEasy", {"backbone": PopjaxrlBackbone((MEMORIES["gru"](features=8),), 8)}),
    ],
    ids=[
        "several integers",
        "joint",
        "reals",
        "squashed",
        "free",
        "own critic",
        "paper",
        "popjaxrl",
    ],
)
def test_the_first_ratio_is_one_with_every_option(env, options):
    env = popjax.make(env)
    own = {
        "backbone": Backbone((MEMORIES["elman"](features=8),)),
        "num_actions": num_outputs(env.action_space),
    }
    network = ActorCritic(head_features=8, **(own | options))
    errors, _ = ratio_errors(env, network)
    assert (errors < 2e-4).all()


@pytest.mark.slow  # by default: with one memory
@pytest.mark.parametrize("memory", ["gru", "transformer", "s5"])
def test_the_first_ratio_is_one_with_a_memory_at_every_place(memory):
    env = popjax.make("ConcentrationEasy")
    network = EquivariantActorCritic(
        EquivariantBackbone((MEMORIES[memory](features=8),), 52, own=3), 8
    )
    errors, _ = ratio_errors(env, network)
    assert (errors < 2e-5).all()
