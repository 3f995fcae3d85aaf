"""A deck so small that an experiment of many runs is a matter of minutes, and what can be had on
it with and without memory."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from popjax import cards
from popjax.core import first
from popjax.envs import count_recall
from popjax.envs.repeat_previous import RepeatPrevious, State

SUITS = 4


@dataclass(frozen=True)
class TinyRepeatPrevious(RepeatPrevious):
    """RepeatPrevious with four cards of each suit, so 15 steps; all else is its rule."""

    k: int = 3
    cards_of_a_suit: int = 4

    @property
    def name(self):
        return "RepeatPrevious"

    @property
    def num_cards(self):
        return SUITS * self.cards_of_a_suit

    def reset(self, key):
        deck = self.cards_of_a_suit * jnp.arange(1, SUITS + 1, dtype=jnp.int32)
        deck, suit = cards.deal(key, deck)
        return State(deck=deck, hand=cards.push(cards.empty_hand(self.k), suit)), first(suit)


@dataclass(frozen=True)
class TinyCountRecall(count_recall.CountRecall):
    """CountRecall with four cards of each of two colours, so 7 steps; all else is its rule."""

    cards_of_a_kind: int = 4

    @property
    def name(self):
        return "CountRecall"

    @property
    def num_cards(self):
        return self.num_kinds * self.cards_of_a_kind

    def reset(self, key):
        deck = self.cards_of_a_kind * jnp.arange(1, self.num_kinds + 1, dtype=jnp.int32)
        decks, shown = cards.deal(key, jnp.stack([deck, deck]))
        return count_recall.State(decks=decks, shown=shown), first(shown)


def best_without_memory(env: TinyRepeatPrevious) -> float:
    """The share of right answers of the best player that sees nothing but the card on the table,
    whether it is asked for the next card or for an earlier one: any other suit. A clock would not
    help, for any two cards of a shuffled deck have the same law.

    >>> round(best_without_memory(TinyRepeatPrevious()), 4)  # 4 of 15
    0.2667
    """
    return env.cards_of_a_suit / (env.num_cards - 1)


def best_guess(env: TinyRepeatPrevious) -> float:
    """The share of right guesses of the next card by the best player of all, which counts: the
    expected share of the commonest suit in what is left, over all that can be left.

    >>> round(best_guess(TinyRepeatPrevious(cards_of_a_suit=1)), 3)  # 1/3, 1/2 and 1
    0.611
    """
    each = env.cards_of_a_suit
    left = np.indices((each + 1,) * SUITS).reshape(SUITS, -1)
    cards_left = left.sum(axis=0)
    ways = np.vectorize(math.comb)(each, left).prod(axis=0)
    shares = []
    for n in range(1, env.num_cards):
        now = cards_left == n
        chance = ways[now] / math.comb(env.num_cards, n)
        shares.append(np.sum(chance * left[:, now].max(axis=0) / n))
    return float(np.mean(shares))
