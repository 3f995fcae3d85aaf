"""One program for many objectives makes the very gradients of `agents.objectives`."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.choices import log_probs, take_along_last
from agents.hyperparams import Hyperparams
from agents.language_agent import LanguageAgent
from agents.memory import MEMORIES
from agents.networks import Backbone, LanguageModel
from agents.objectives import OBJECTIVES
from experiments.bridge.batched_objectives import (
    make_batch_sampler,
    stacked_choices,
    weighted_choices,
)
from experiments.bridge.decks import TINY
from experiments.bridge.loop.config import rungs
from experiments.bridge.verdict.config import ALL, PRESETS
from experiments.bridge.verdict.gradients import gradients, make_measure
from popjax import Deck, make
from popjax.floors import code_lengths
from popjax.players import make_player, play

pytestmark = pytest.mark.usefixtures("quickly_compiled")

ENV = make("RepeatPreviousEasy", deck=Deck(8, 2), k=3)
ORACLE = make_player(ENV)
PLAIN = Hyperparams(entropy=0.0)
OBJECTIVES_OF_ACTIONS = ALL | {"rewards": rungs(0.0, 6)["rewards"]}


@pytest.fixture(scope="module")
def made():
    """A network, and a batch of its own play."""
    network = LanguageModel(Backbone((MEMORIES["gru"](features=8),)), (8,), 8, 8)
    agent = LanguageAgent.of(ENV, network, "obs")
    params = jax.jit(agent.init)(jax.random.key(0))
    sample_batch = jax.jit(make_batch_sampler(agent, 6, ORACLE))
    return agent, params, sample_batch, sample_batch(params, jax.random.key(1), 3, 0.0)


def test_many_suits_are_dealt_without_replacement_and_the_rememberer_is_right():
    decks = play(ENV, ORACLE, jax.random.key(0), 32)
    cards = np.concatenate([decks.obs, decks.next_obs[-1:]])
    assert (np.sort(cards, axis=0) == np.repeat(np.arange(8), 2)[:, None]).all()
    np.testing.assert_allclose(decks.returns, 1.0, rtol=1e-6)
    assert (np.asarray(decks.action)[2:] == cards[:-3]).all(), "the card two before the newest"
    np.testing.assert_allclose(code_lengths(ENV, decks), code_lengths(ENV, decks)[0])


def test_the_tiny_first_card_is_asked_for_on_fifteen_steps():
    env = TINY["RepeatFirst"]
    decks = play(env, make_player(env), jax.random.key(0), 32)
    cards = np.concatenate([decks.obs, decks.next_obs[-1:]])
    assert (np.sort(cards, axis=0) == np.repeat(np.arange(4), 4)[:, None]).all()
    np.testing.assert_allclose(decks.returns, 1.0, rtol=1e-6)


@pytest.mark.by_default("label", "sum")
@pytest.mark.parametrize("told", OBJECTIVES_OF_ACTIONS)
def test_choices_and_weights_give_the_gradient_of_each_objective(made, told):
    agent, params, _, batch = made
    rung = OBJECTIVES_OF_ACTIONS[told]

    @jax.jit
    def both(params):
        choice, weight = weighted_choices(agent, rung, batch)

        def loss(params):
            pi = log_probs((8,), agent.outputs(params, batch).action)
            return -jnp.sum(weight * take_along_last(pi, choice))

        full = batch
        if rung.scored_head:
            full = batch.replace(weight=rung.advantage(agent, PLAIN, batch)[0])
        theirs, _ = jax.grad(rung.loss, has_aux=True)(params, agent, PLAIN, full)
        return jax.grad(loss)(params), theirs

    own, theirs = both(params)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6, rtol=1e-4), own, theirs)


def test_a_teacher_acts_in_the_learners_place(made):
    _, params, sample_batch, own = made
    taught = sample_batch(params, jax.random.key(1), 3, 1.0)
    assert (taught.sampled == taught.label).all() and not (own.sampled == own.label).all()
    first = np.asarray(taught.label)[2:]
    assert (first == np.asarray(jnp.argmax(taught.x[:-2, :, :8], axis=-1))).all()


@pytest.mark.slow  # by default: the gradient of each objective
def test_gradients_of_episodes_average_to_that_of_the_batch(made):
    agent, params, _, batch = made
    words, weights = stacked_choices(agent, {"label": OBJECTIVES["dagger"]}, batch)
    each = jax.jit(partial(gradients, agent))(params, batch, words[0], 6 * weights[0])

    def whole(params):
        return OBJECTIVES["dagger"].loss(params, agent, PLAIN, batch)[0]

    flat, _ = jax.flatten_util.ravel_pytree(jax.jit(jax.grad(whole))(params))
    np.testing.assert_allclose(each.mean(axis=0), flat, atol=1e-6)


@pytest.mark.slow  # by default: words and weights of each rung
def test_what_gradients_are_like(made):
    """Labels point with the labels; a verdict weighted to the label's gradient is noisier."""
    agent, params, _, _ = made
    measure = jax.jit(jax.vmap(make_measure(ENV, agent.network, ALL, ORACLE, 32), (None, None, 0)))
    found = measure(params, jax.random.key(2), jnp.arange(4))
    assert found["cos_labels"][0] == pytest.approx(1, abs=1e-4)
    assert found["noise"][1] > 3 * found["noise"][0]
    assert found["cos_expected"][2] > found["cos_quarter"][2] - 0.1


def test_presets_name_every_part_once():
    for setup in PRESETS.values():
        assert len(set(setup.parts)) == len(setup.parts) >= 8
        assert all(setup.cards % suits == 0 for suits in setup.suits)
