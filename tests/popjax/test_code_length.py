"""All orders of a deck are equally likely, so under the exact law of the next card every episode
has the same code length, ln(n! / (m!)^S) less ln S for the first card (n cards, m of each of S
kinds). One wrong deal, one off by one or one card shown twice, and it is another number.
"""

import math

import jax
import numpy as np
import pytest

import popjax
from popjax.players import make_player, play


def decks_shown(family, obs, num_cards):
    """The decks that the observations `obs[T + 1, N, ...]` show, each `[n, N]`."""
    if family == "CountRecall":
        return [obs[..., 0], obs[..., 1]]
    if family == "Autoencode":  # what follows the last card carries no card
        return [obs[:num_cards, :, 1]]
    return [obs]


def code_length(shown, num_kinds):
    """`[N]` nats of the cards `shown[n, N]` after the first, drawn without replacement."""
    num_cards = len(shown)
    is_kind = np.asarray(shown)[..., None] == np.arange(num_kinds)
    left = num_cards // num_kinds - np.cumsum(is_kind, axis=0)[:-1]
    of_this_kind = np.sum(left * is_kind[1:], axis=-1).astype(np.float64)
    return -np.sum(np.log(of_this_kind / np.arange(num_cards - 1, 0, -1)[:, None]), axis=0)


@pytest.mark.by_default("HigherLower-Hard", "HigherLower-Easy")
@pytest.mark.parametrize("level", ["Easy", "Medium", "Hard"])
@pytest.mark.parametrize(
    "family", ["RepeatFirst", "RepeatPrevious", "CountRecall", "Autoencode", "HigherLower"]
)
def test_every_episode_has_the_same_code_length(family, level):
    env = popjax.FAMILIES[family][level]
    episodes = play(env, make_player(env, "random"), jax.random.key(0), 256)
    obs = np.concatenate([episodes.obs[:1], episodes.next_obs])
    decks = decks_shown(family, obs, env.num_cards)
    num_kinds = np.ravel(env.observation_space.sizes)[-1]
    n, m = env.num_cards, env.num_cards // num_kinds
    exact = math.lgamma(n + 1) - num_kinds * math.lgamma(m + 1) - math.log(num_kinds)
    total = sum(code_length(shown, num_kinds) for shown in decks)
    np.testing.assert_allclose(total, len(decks) * exact, rtol=0, atol=1e-9)


def test_the_totals_of_the_literature():
    """Numbers computed apart from this code, in nats after the first card."""
    suits = np.random.default_rng(0).permuted(np.tile(np.arange(4)[:, None], (13, 5)), axis=0)
    np.testing.assert_allclose(code_length(suits, 4), 64.766, atol=5e-4)
    ranks = np.random.default_rng(1).permuted(np.tile(np.arange(13)[:, None], (4, 5)), axis=0)
    np.testing.assert_allclose(code_length(ranks, 13), 112.481, atol=5e-4)
