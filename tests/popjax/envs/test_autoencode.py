"""The rules of Autoencode, as a player would state them."""

from functools import cache
from types import MethodType

import jax
import numpy as np
import pytest

from popjax.envs.autoencode import LEVELS, PLAY, WATCH
from popjax.players import make_player, play
from tests.support.laws import check_deck_law
from tests.support.reference import check_replay, stack_deck


def shown_cards(obs, num_cards):
    """`[n, ...]`: the cards in the order in which they were shown; the last comes in PLAY."""
    return obs[:num_cards, ..., 1]


def known_state(reference):
    """The reference's Markov state without the cards that nobody has seen: the suits held, the
    newest first, the mode, and the share held."""
    suits = np.zeros(reference.deck.num_cards)
    held = reference.deck.suits_idx[reference.deck["system"]][::-1]
    suits[: len(held)] = held
    return suits, int(reference.mode), len(held) / reference.deck.num_cards


def inject(reference, ours, n):
    reference.reset()
    obs = np.concatenate([ours.obs[:1, n], ours.next_obs[:, n]])
    shown = shown_cards(obs, reference.deck.num_cards)
    stack_deck(reference.deck, shown, reference.deck.suits_idx)
    reference.deck.discard_all()
    reference.deck.deck_len = reference.deck.num_cards
    reference.deck.deal("system", 1)
    reference.get_state = MethodType(known_state, reference)
    return reference.make_obs(reference.deck["system"][-1])


@pytest.mark.by_default("short-Easy-reference")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"Autoencode{level}", make_player(env, kind), inject)


@pytest.mark.parametrize("level", LEVELS)
def test_perfect_memory_earns_one(level):
    env = LEVELS[level]
    episodes = play(env, make_player(env), jax.random.key(0), 8)
    np.testing.assert_allclose(episodes.returns, 1.0, atol=1e-5)


def test_the_cards_are_asked_for_in_reverse_order():
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 8)
    asked = shown_cards(episodes.obs, 52)[::-1]
    right = episodes.action[51:] == asked
    np.testing.assert_allclose(episodes.reward[51:], np.where(right, 1, -1) / 52, rtol=1e-6)


def test_watching_earns_nothing():
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, "random"), jax.random.key(2), 8)
    watching = episodes.obs[..., 0] == WATCH
    assert (watching.sum(0) == 51).all() and watching[:51].all()
    assert (episodes.reward[watching] == 0).all()


def test_the_last_card_arrives_with_the_mode_play():
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env), jax.random.key(3), 64)
    assert (episodes.obs[51, :, 0] == PLAY).all()
    assert len(np.unique(episodes.obs[51, :, 1])) == 4
    assert (episodes.obs[51, :, 1] == episodes.action[51]).all()


@pytest.mark.slow
def test_no_answer_is_shown_while_playing():
    """A port shows the cards in PLAY and hides them in WATCH."""
    for env in LEVELS.values():
        episodes = play(env, make_player(env, "random"), jax.random.key(4), 8)
        assert (episodes.next_obs[env.num_cards - 1 :] == np.array([PLAY, 0])).all()


@cache
def played(level):
    env = LEVELS[level]
    return play(env, make_player(env, "random"), jax.random.key(6), 20_000)


@pytest.mark.parametrize("level", LEVELS)
def test_no_step_reads_past_the_deck(level):
    """Ports play one step too many and show the last card twice."""
    env, episodes = LEVELS[level], played(level)
    assert (episodes.lengths == 2 * env.num_cards - 1).all()
    for suit in range(4):
        shown = shown_cards(episodes.obs, env.num_cards)
        assert ((shown == suit).sum(0) == env.num_cards // 4).all()


def test_law_of_the_cards():
    episodes = played("Easy")
    check_deck_law(shown_cards(episodes.obs, 52), 4, 52)
