"""Tiny decks of at most 16 cards, and what the best players earn on them."""

from __future__ import annotations

import math

import numpy as np

from popjax.cards import Deck
from popjax.core import Environment
from popjax.envs.count_recall import CountRecall
from popjax.envs.repeat_first import RepeatFirst
from popjax.envs.repeat_previous import RepeatPrevious

SUITS = 4
TINY: dict[str, Environment] = {
    "RepeatFirst": RepeatFirst(deck=Deck(SUITS, 4)),
    "RepeatPrevious": RepeatPrevious(deck=Deck(SUITS, 4), k=3),
    "CountRecall": CountRecall(deck=Deck(2, 4)),
}
"""One or two decks of four cards of each kind: 15 steps, and 7."""


def best_without_memory(env: RepeatPrevious) -> float:
    """Accuracy of the best memoryless player, which sees only the current card and guesses any
    other suit, whether the target is the next card or an earlier one. A clock would not help: any
    two cards of a shuffled deck have the same joint distribution.

    >>> round(best_without_memory(TINY["RepeatPrevious"]), 4)  # 4 of 15
    0.2667
    """
    return env.deck.each / (env.num_cards - 1)


def best_guess(env: RepeatPrevious) -> float:
    """Accuracy of the best possible predictor of the next card, a card counter: the expected share
    of the commonest suit among the remaining cards.

    >>> round(best_guess(RepeatPrevious(deck=Deck(SUITS, 1), k=3)), 3)  # 1/3, 1/2 and 1
    0.611
    """
    each = env.deck.each
    left = np.indices((each + 1,) * env.deck.kinds).reshape(env.deck.kinds, -1)
    cards_left = left.sum(axis=0)
    ways = np.vectorize(math.comb)(each, left).prod(axis=0)
    shares = []
    for n in range(1, env.num_cards):
        now = cards_left == n
        chance = ways[now] / math.comb(env.num_cards, n)
        shares.append(np.sum(chance * left[:, now].max(axis=0) / n))
    return float(np.mean(shares))
