"""Histories with the same law of the next token and other futures: who tells them apart."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bridge.measures import planted
from experiments.bridge.measures.interventions import simulation
from experiments.bridge.measures.overlap import dealt
from experiments.bridge.same_deck.futures import TASKS, apart, classes, future_of
from experiments.bridge.same_deck.study import MEASUREMENTS, measured_of
from popjax import make
from popjax.floors import make_law
from popjax.players import Episodes
from popjax.players.base import random_player
from tests.support.planted import in_noise

T = 3


@pytest.fixture(scope="module")
def decks():
    """Autoencode: cards, the law of the next one after card T, and which lists are the same."""
    env = make("AutoencodeEasy")
    cards = dealt(env, random_player(env), jax.random.key(1), 1500)
    seen = np.stack([np.bincount(list_, minlength=4) for list_ in cards[: T + 1, :, 0].T])
    left = 13 - seen
    nets = SimpleNamespace(task="Autoencode", cards=cards, env=env)
    law = left / left.sum(axis=1, keepdims=True)
    return env, cards, law, future_of(nets, T)


def test_a_register_tells_apart_what_a_counter_cannot(decks):
    """The same counts in another order: a counter is in one state, a register in two, also in a
    basis of their own and with some noise."""
    env, cards, law, future = decks
    laws, token = classes(law), cards[T, :, 0]
    register, counter = (planted.states(env, who, cards, T) for who in ("rl", "lm"))
    assert apart(counter, laws, future, token) == pytest.approx(0, abs=1e-9)
    assert apart(register, laws, future, token) == pytest.approx(1, abs=0.01)
    both = np.concatenate([register, counter], axis=1)
    assert 0.1 < apart(both, laws, future, token) < 0.9
    turned = [in_noise(x, x.shape[1], 0.02, seed=0) for x in (counter, register)]
    low, high = (apart(x, laws, future, token) for x in turned)
    assert low < 0.05 and high > 0.9
    assert np.isnan(apart(register, future, future, token)), "no two with one law"


def test_the_law_alone_simulates_a_counter_and_no_register(decks):
    """Bayes simulation there and back: the law of the next token gives the counter's state, but of
    a register no more than the counts tell; a network that acts on the order loses its answer."""
    _, cards, law, _ = decks
    counter = in_noise(13 - law * (52 - T - 1), 6, 0.0, seed=0)
    register = np.eye(4)[cards[: T + 1, :, 0].T].reshape(len(law), -1)

    def recites(states):
        """What the agent must name last: the first card."""
        logits = 10 * states[:, :4]
        chance = np.exp(logits - logits.max(axis=1, keepdims=True))
        return chance / chance.sum(axis=1, keepdims=True)

    def silent(states):
        return np.full((len(states), 4), 0.25)

    alone = simulation(law, counter, silent)
    assert alone.net_from_bayes > 0.999 and alone.bayes_from_net > 0.999
    by_law = simulation(law, register, recites)
    assert by_law.bayes_from_net > 0.999, "whoever holds the order holds the counts"
    assert by_law.net_from_bayes < 0.4 and by_law.nats > 0.3
    by_list = simulation(register, register, recites)
    assert by_list.net_from_bayes > 0.999 and by_list.nats < 1e-3


def test_two_boards_of_one_law_and_other_futures():
    """Places 0 and 1 hold a black and a red card, or the reverse: the law of a third card is the
    same, that of the first, asked again, is not."""
    env = make("ConcentrationEasy")
    law, kinds, action = make_law(env), np.array([[0, 1], [1, 0], [0, 1]]), np.array([0, 1])
    start = jnp.full((env.num_cards,), env.num_kinds)
    asked = []
    for board in kinds:
        belief = law.begin(start)
        for place, kind in zip(action, board, strict=True):
            belief = law.update(belief, place, kind)
        asked.append([np.exp(law.log_probs(belief, place)) for place in (2, 0)])
    next_, later = np.moveaxis(np.array(asked), 1, 0)
    assert classes(next_).tolist() == [0, 0, 0] and len(set(classes(later)[:2])) == 2

    obs = np.full((3, 3, env.num_cards), env.num_kinds)  # before, and after each turned card
    obs[1, :, 0], obs[2, :, 0], obs[2, :, 1] = kinds[:, 0], kinds[:, 0], kinds[:, 1]
    nothing = np.zeros((3, 3))
    episodes = Episodes(obs, nothing, nothing, obs, nothing > 0, nothing > 0, nothing == 0)
    nets = SimpleNamespace(task="Concentration", episodes=episodes, env=env)
    future = future_of(nets, 2)
    assert future[0] == future[2] != future[1]
    assert len(set(future_of(nets, 0))) == 1


def test_where_it_is_measured():
    assert "distinction" in MEASUREMENTS
    for task in ("RepeatFirst", "RepeatPrevious", "CountRecall", "HigherLower", "MultiarmedBandit"):
        assert "distinction" not in measured_of(task)
    assert all("distinction" in measured_of(task) for task in TASKS)
