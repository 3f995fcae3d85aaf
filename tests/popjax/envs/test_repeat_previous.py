"""The rules of RepeatPrevious, as a player would state them."""

import jax
import numpy as np
import pytest

from popjax.envs.repeat_previous import LEVELS
from popjax.players import make_player, play
from tests.support.reference import check_replay, stack_deck


def inject(reference, ours, n):
    reference.reset()
    shown = np.concatenate([ours.obs[:1, n], ours.next_obs[:, n]])
    stack_deck(reference.deck, shown, reference.deck.suits_idx)
    reference.deck.discard_all()
    reference.deck.deck_len = reference.deck.num_cards
    reference.deck.deal("player", 1)
    reference.dealt_cards[:] = 0
    reference.dealt_cards[shown[0]] = 1
    return shown[0]


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"RepeatPrevious{level}", make_player(env, kind), inject)


@pytest.mark.parametrize("level", LEVELS)
def test_perfect_memory_earns_one(level):
    env = LEVELS[level]
    episodes = play(env, make_player(env), jax.random.key(0), 8)
    np.testing.assert_allclose(episodes.returns, 1.0, atol=1e-5)
    assert (episodes.lengths == env.num_cards - 1).all()


def test_the_card_asked_for_lies_k_minus_1_observations_back():
    """Ports were off by one here: with k = 4 the reply at step t is judged against obs[t - 3]."""
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 8)
    right = episodes.action[3:] == episodes.obs[:-3]
    np.testing.assert_allclose(episodes.reward[3:], np.where(right, 1, -1) / 48, rtol=1e-6)
    assert (episodes.reward[:3] == 0).all()
