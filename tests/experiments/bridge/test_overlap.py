"""The overlap of what acting and predicting take, by closed form, by sampling and by all orders."""

import itertools
import math
from collections import Counter

import jax
import numpy as np
import pytest

import popjax
from experiments.bridge.decks import TINY
from experiments.bridge.measures.overlap import (
    CAUSAL,
    STATISTICS,
    deck_of,
    exact,
    nats_of_counts,
    sampled,
)
from tests.support.command import assert_one_line, run


@pytest.mark.parametrize(
    ("name", "rl_given_lm", "lm_given_rl", "kind"),
    [
        ("RepeatFirstEasy", 0.085, 0.026, "disjoint"),
        ("RepeatPreviousEasy", 0.070, 0.064, "disjoint"),
        ("AutoencodeEasy", 0.129, 1, "RL richer"),
        ("CountRecallEasy", 1, 0.5, "LM richer"),
        ("HigherLowerEasy", 1, 1, "equal"),
    ],
)
def test_five_games_lie_in_four_classes(name, rl_given_lm, lm_given_rl, kind):
    found = exact(popjax.make(name))
    assert found.rl_given_lm == pytest.approx(rl_given_lm, abs=5e-4)
    assert found.lm_given_rl == pytest.approx(lm_given_rl, abs=5e-4)
    assert found.kind == kind


def test_dealt_decks_say_the_same():
    env = TINY["RepeatPrevious"]
    formula, drawn = exact(env), sampled(env, jax.random.key(0), 4000)
    assert formula.rl_given_lm == pytest.approx(0.189, abs=1e-3)
    assert formula.lm_given_rl == pytest.approx(0.177, abs=1e-3)
    for ours, theirs in ((formula.of_rl, drawn.of_rl), (formula.of_lm, drawn.of_lm)):
        np.testing.assert_allclose(ours, theirs, atol=0.03)
    np.testing.assert_allclose(formula.shared, drawn.shared, atol=0.05)


def test_all_orders_of_eight_cards_say_the_same():
    """Entropies by counting all 2,520 decks of two of each of four suits."""
    env = popjax.make("RepeatPreviousEasy", deck=popjax.Deck(4, 2), k=3)
    decks = sorted(set(itertools.permutations([0, 0, 1, 1, 2, 2, 3, 3])))

    def entropy(of):
        tally = np.array(list(Counter(map(of, decks)).values())) / len(decks)
        return -np.sum(tally * np.log(tally))

    found, token = exact(env), math.log(4)
    for i, t in enumerate(range(3, 8)):
        listed = entropy(lambda deck, t=t: deck[t - 3 : t]) - token
        counted = entropy(lambda deck, t=t: (deck[t - 1], *sorted(deck[:t]))) - token
        both = entropy(lambda deck, t=t: (deck[t - 3 : t], *sorted(deck[:t]))) - token
        assert found.of_rl[i] == pytest.approx(listed)
        assert found.of_lm[i] == pytest.approx(counted)
        assert found.shared[i] == pytest.approx(listed + counted - both)
    assert nats_of_counts(deck_of(env), 8) == pytest.approx(0, abs=1e-9)


def test_every_family_is_placed_or_said_not_to_be():
    placed = STATISTICS.keys() | CAUSAL.keys()
    assert popjax.FAMILIES.keys() - placed == {"LabyrinthEscape", "LabyrinthExplore"}
    with pytest.raises(ValueError, match="depend on actions"):
        exact(popjax.make("MineSweeperEasy"))


def test_the_command_prints_both_routes(capsys):
    words = "bridge overlap --episodes 200 --envs RepeatFirstEasy MineSweeperEasy"
    code, out, _ = run(capsys, words)
    assert code == 0 and "0.085" in out and "0.026" in out and "equal" in out
    assert_one_line(capsys, "bridge overlap --envs RepeatFrstEasy", "did you mean")
    assert_one_line(capsys, "bridge overlap --envs LabyrinthEscapeEasy", "not known in closed form")
