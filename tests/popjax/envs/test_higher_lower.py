"""The rules of HigherLower, as a player would state them."""

from functools import cache

import jax
import numpy as np
import pytest

from popjax.envs.higher_lower import HIGHER, LEVELS, LOWER
from popjax.players import make_player, play
from tests.support.laws import check_deck_law
from tests.support.reference import check_replay, stack_deck


def shown_cards(episodes):
    """`[T + 1, N]`: the cards, from the first to the last."""
    return np.concatenate([episodes.obs[:1], episodes.next_obs])


def inject(reference, ours, n):
    reference.reset()
    shown = np.concatenate([ours.obs[:1, n], ours.next_obs[:, n]])
    stack_deck(reference.deck, shown, reference.deck.ranks_idx)
    reference.deck.discard_all()
    reference.deck.deck_len = reference.deck.num_cards
    reference.deck.deal("player", 1)
    reference.state[:] = 0
    reference.state[shown[0]] = 1
    return reference.deck.show("player", ["ranks_idx"])


@pytest.mark.by_default("short-Easy-reference")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"HigherLower{level}", make_player(env, kind), inject)


@pytest.mark.parametrize("bet", [HIGHER, LOWER])
def test_a_bet_wins_on_its_side_and_a_tie_earns_nothing(bet):
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, "random"), jax.random.key(0), 64)
    side = np.sign(np.asarray(episodes.next_obs) - np.asarray(episodes.obs))
    betting = np.asarray(episodes.action) == bet
    wins = side if bet == HIGHER else -side
    np.testing.assert_allclose(episodes.reward[betting], wins[betting] / 52, rtol=1e-6)
    assert {-1, 0, 1} == set(wins[betting])


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_counting_beats_the_fixed_threshold_on_the_same_cards(level):
    env = LEVELS[level]
    counter = play(env, make_player(env), jax.random.key(1), 2_000)
    threshold = play(env, make_player(env, "memoryless"), jax.random.key(1), 2_000)
    assert (counter.obs == threshold.obs).all()
    gain = np.asarray(counter.returns - threshold.returns)
    assert gain.mean() > 4 * gain.std() / np.sqrt(len(gain))


def test_the_threshold_is_right_as_often_as_computed():
    """Two different cards: the ranks are a uniform pair, so the threshold wins, less loses,
    sum_r |12 - 2r| * 16 of 52 * 51 bets; and n - 1 bets of 1 / n are made."""
    env = LEVELS["Easy"]
    returns = np.asarray(
        play(env, make_player(env, "memoryless"), jax.random.key(2), 4_000).returns
    )
    exact = sum(abs(12 - 2 * rank) * 16 for rank in range(13)) / (52 * 51) * 51 / 52
    assert abs(returns.mean() - exact) < 4 * returns.std() / np.sqrt(len(returns))


@cache
def played(level):
    env = LEVELS[level]
    return play(env, make_player(env, "random"), jax.random.key(4), 20_000)


@pytest.mark.parametrize("level", LEVELS)
def test_no_step_reads_past_the_deck(level):
    """Ports play one step too many and show the last card twice."""
    env, episodes = LEVELS[level], played(level)
    assert (episodes.lengths == env.num_cards - 1).all()
    for rank in range(13):
        assert ((shown_cards(episodes) == rank).sum(0) == env.num_cards // 13).all()


def test_law_of_the_cards():
    episodes = played("Easy")
    check_deck_law(shown_cards(episodes), 13, 52)
