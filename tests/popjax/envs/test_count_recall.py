"""The rules of CountRecall, as a player would state them."""

import jax
import numpy as np
import pytest

from popjax.envs.count_recall import LEVELS
from popjax.players import make_player, play
from tests.support.laws import check_counts, check_deck_law
from tests.support.reference import check_replay, stack_deck


def inject(reference, ours, n):
    reference.reset()
    shown = np.concatenate([ours.obs[:1, n], ours.next_obs[:, n]])
    for deck, kinds in zip((reference.value_deck, reference.query_deck), shown.T, strict=True):
        stack_deck(deck, kinds, reference.deck_idx_type)
        deck.discard_all()
        deck.deck_len = deck.num_cards
    reference.value, reference.query = reference.deal()
    reference.counts[:] = reference.query_counts[:] = 0
    reference.counts[reference.value] = reference.query_counts[reference.query] = 1
    reference.last_obs = np.array([reference.value, reference.query])
    return reference.last_obs


def shown_cards(episodes):
    """`[T + 1, N, 2]`: the cards of both decks, from the first to the last."""
    return np.concatenate([episodes.obs[:1], episodes.next_obs])


@pytest.mark.by_default("short-Easy-reference")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"CountRecall{level}", make_player(env, kind), inject)


@pytest.mark.parametrize("level", LEVELS)
def test_counting_player_earns_one(level):
    env = LEVELS[level]
    episodes = play(env, make_player(env), jax.random.key(0), 64)
    np.testing.assert_allclose(episodes.returns, 1.0, atol=1e-5)


def test_the_answer_counts_the_card_just_dealt_and_only_the_queried_kind():
    env = LEVELS["Medium"]
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 64)
    dealt, queried = episodes.obs[..., 0], episodes.obs[..., 1]
    so_far = np.cumsum(np.asarray(dealt)[..., None] == np.arange(4), axis=0)
    asked = np.take_along_axis(so_far, np.asarray(queried)[..., None], axis=-1)[..., 0]
    right = episodes.action == asked
    np.testing.assert_allclose(episodes.reward, np.where(right, 1, -1) / 103, rtol=1e-6)


@pytest.mark.parametrize(("level", "actions"), [("Easy", 27), ("Medium", 27), ("Hard", 17)])
def test_every_count_can_be_answered(level, actions):
    """Ports offer two actions at every level, and an older reference lacks the largest count."""
    env = LEVELS[level]
    assert env.action_space.sizes == actions
    episodes = play(env, make_player(env), jax.random.key(2), 512)
    answered = np.bincount(np.ravel(episodes.action), minlength=actions)
    assert (answered > 0).all() and len(answered) == actions
    assert (episodes.reward > 0).all()


@pytest.mark.slow
def test_no_step_reads_past_the_deck():
    """Ports play one step too many and show the last card twice."""
    for env in LEVELS.values():
        episodes = play(env, make_player(env, "random"), jax.random.key(3), 8)
        assert (episodes.lengths == env.num_cards - 1).all()
        for kind in range(env.num_kinds):
            assert ((shown_cards(episodes) == kind).sum(0) == env.cards_of_a_kind).all()


def test_law_of_the_cards_and_of_the_queries():
    env = LEVELS["Easy"]
    shown = shown_cards(play(env, make_player(env, "random"), jax.random.key(4), 20_000))
    check_deck_law(shown[..., 0], 2, 52)
    check_deck_law(shown[..., 1], 2, 52)


def test_the_two_decks_are_shuffled_apart():
    env = LEVELS["Easy"]
    shown = shown_cards(play(env, make_player(env, "random"), jax.random.key(5), 20_000))
    for t in (0, 1, 30, 51):
        pairs = np.bincount(2 * shown[t, :, 0] + shown[t, :, 1], minlength=4)
        check_counts(pairs, np.full(4, 5_000), f"the pair of cards {t}")
