"""The law of the next card, against the order of the cards that it stands for."""

import itertools
import math

import jax
import numpy as np
import pytest

import popjax
from popjax.floors import log_probs_along, make_law, surprise
from popjax.floors.decks import nats_per_episode
from popjax.players import make_player, play

CARD_FAMILIES = ["RepeatFirst", "RepeatPrevious", "CountRecall", "Autoencode", "HigherLower"]
CARD_IDS = [family + level for family in CARD_FAMILIES for level in popjax.FAMILIES[family]]


def episodes_of(env, num_episodes, seed=0):
    return play(env, make_player(env, "random"), jax.random.key(seed), num_episodes)


@pytest.mark.by_default("RepeatPreviousEasy")
@pytest.mark.parametrize("name", CARD_IDS)
def test_every_episode_has_the_same_code_length(name):
    """ln(n! / (m!)^S) for n cards, m of each of S kinds, less the first card; two decks in
    CountRecall. No variance at all, and no policy changes it."""
    env = popjax.ENVS[name]
    totals = surprise(make_law(env), episodes_of(env, 64)).sum(0)
    np.testing.assert_allclose(totals, nats_per_episode(env), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "total"),
    [
        *[(f"{family}Easy", 64.766) for family in ("RepeatFirst", "RepeatPrevious", "Autoencode")],
        *[(f"{family}Medium", 135.825) for family in ("RepeatPrevious", "Autoencode")],
        *[(f"{family}Hard", 207.309) for family in ("RepeatPrevious", "Autoencode")],
        ("RepeatFirstMedium", 566.279),
        ("RepeatFirstHard", 1141.939),
        ("HigherLowerEasy", 112.481),
        ("HigherLowerMedium", 241.834),
        ("HigherLowerHard", 372.823),
        ("CountRecallEasy", 2 * 33.144),
        ("CountRecallMedium", 2 * 135.825),
        ("CountRecallHard", 2 * 504.497),
    ],
)
def test_totals_computed_apart_from_this_code(name, total):
    assert nats_per_episode(popjax.ENVS[name]) == pytest.approx(total, abs=1.1e-3)


@pytest.mark.by_default("HigherLower", "CountRecall")
@pytest.mark.parametrize("family", CARD_FAMILIES)
def test_the_law_sums_to_one_and_the_token_is_possible(family):
    env = popjax.FAMILIES[family]["Easy"]
    episodes = episodes_of(env, 16)
    log_probs, tokens = log_probs_along(make_law(env), episodes)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)
    assert np.isfinite(np.take_along_axis(log_probs, tokens[..., None], -1)).all()


def test_one_wrong_card_is_another_number():
    """The code length is a test of the deal: a card shown twice has no place in it."""
    env = popjax.ENVS["RepeatFirstEasy"]
    episodes = episodes_of(env, 8)
    shown = np.array(episodes.next_obs)
    shown[30] = (shown[30] + 1) % 4
    totals = surprise(make_law(env), episodes.replace(next_obs=shown)).sum(0)
    assert (abs(totals - nats_per_episode(env)) > 1e-3).all()


def test_nothing_is_in_doubt_once_autoencode_plays():
    env = popjax.ENVS["AutoencodeEasy"]
    nats = surprise(make_law(env), episodes_of(env, 8))
    assert (nats[env.num_cards - 2 :] == 0).all() and (nats[: env.num_cards - 4].sum(0) > 60).all()


def test_the_law_is_the_share_of_all_orders():
    """Every order of two black and two red cards, counted one by one."""
    orders = sorted(set(itertools.permutations([0, 0, 1, 1])))
    law = make_law(popjax.make("CountRecallEasy"))
    belief = law.begin(np.array([0, 1])) - 24  # 52 cards less 48: one or two of a kind are left
    for order, query in itertools.product(orders, orders):
        if (order[0], query[0]) != (0, 1):
            continue
        same_start = [o for o in orders if o[0] == 0], [o for o in orders if o[0] == 1]
        card = np.mean([o[1] == order[1] for o in same_start[0]])
        asked = np.mean([o[1] == query[1] for o in same_start[1]])
        found = law.log_probs(belief, 0)[2 * order[1] + query[1]]
        assert found == pytest.approx(math.log(card * asked), abs=1e-6)


@pytest.mark.slow  # by default: the law sums to one, its code length is the deck's
def test_the_first_card_can_be_guessed_from_the_counts():
    """After t cards with c_s of suit s, the first was s with probability c_s / t, so who only
    counts guesses it with chance E[max c_s / t]: exchangeability of the deck."""
    env = popjax.ENVS["RepeatFirstEasy"]
    shown = np.array(episodes_of(env, 20_000).obs)
    counts = np.cumsum(shown[..., None] == np.arange(4), axis=0)
    accuracy = np.mean(counts.argmax(-1) == shown[0], axis=1)
    expected = {1: 1.000, 2: 0.619, 3: 0.552, 4: 0.520, 8: 0.426, 16: 0.359, 32: 0.306, 51: 0.255}
    for cards, chance in expected.items():
        assert np.mean(counts[cards - 1].max(-1) / cards) == pytest.approx(chance, abs=2e-3)
        assert accuracy[cards - 1] == pytest.approx(chance, abs=0.015)
