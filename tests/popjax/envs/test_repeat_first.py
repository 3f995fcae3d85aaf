"""The rules of RepeatFirst, as a player would state them."""

from functools import cache

import jax
import numpy as np
import pytest

from popjax.envs.repeat_first import LEVELS
from popjax.players import make_player, play
from tests.support.laws import check_deck_law
from tests.support.reference import check_replay, stack_deck


def inject(reference, ours, n):
    reference.reset()
    shown = np.concatenate([ours.obs[:1, n], ours.next_obs[:, n]])
    stack_deck(reference.deck, shown, reference.deck.suits_idx)
    reference.deck.discard_all()
    reference.deck.deck_len = reference.deck.num_cards
    reference.deck.deal("player", 1)
    reference.card = reference.deck.show("player", ["suits_idx"])[0, -1]
    reference.dealt_cards[:] = 0
    reference.dealt_cards[reference.card] = 1
    return reference.card


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"RepeatFirst{level}", make_player(env, kind), inject)


@pytest.mark.parametrize("level", LEVELS)
def test_perfect_memory_earns_one(level):
    env = LEVELS[level]
    episodes = play(env, make_player(env), jax.random.key(0), 8)
    np.testing.assert_allclose(episodes.returns, 1.0, atol=1e-5)


def test_every_wrong_answer_costs_as_much_as_a_right_one_earns():
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 8)
    right = episodes.action == episodes.obs[0]
    np.testing.assert_allclose(episodes.reward, np.where(right, 1, -1) / 51, rtol=1e-6)


def test_the_suit_shown_is_right_at_the_first_step():
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, "memoryless"), jax.random.key(2), 8)
    assert (episodes.reward[0] > 0).all()


@cache
def played(level):
    env = LEVELS[level]
    return play(env, make_player(env, "random"), jax.random.key(4), 20_000)


@pytest.mark.parametrize("level", LEVELS)
def test_no_step_reads_past_the_deck(level):
    """Ports play one step too many and show the last card twice."""
    env, episodes = LEVELS[level], played(level)
    assert (episodes.lengths == env.num_cards - 1).all()
    shown = np.concatenate([episodes.obs[:1], episodes.next_obs])
    for suit in range(4):
        assert ((shown == suit).sum(0) == env.num_cards // 4).all()


def test_law_of_the_cards():
    episodes = played("Easy")
    check_deck_law(np.concatenate([episodes.obs[:1], episodes.next_obs]), 4, 52)
