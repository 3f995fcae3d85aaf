"""Tiny decks: RepeatPrevious with any number of suits, RepeatFirst with any number of cards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Int

from popjax import cards
from popjax.core import first, then
from popjax.envs import count_recall, repeat_first, repeat_previous
from popjax.envs.repeat_previous import RepeatPrevious, State
from popjax.players import Player
from popjax.spaces import Discrete


class Hand(struct.PyTreeNode):
    """deck: `[suits]` the cards still to come, as running totals. hand: `[k]` the newest first."""

    deck: Int[Array, " suits"]
    hand: Int[Array, " k"]


@dataclass(frozen=True)
class ManySuits(repeat_previous.RepeatPrevious):
    """RepeatPrevious with so many suits and so many cards of each: its rule, but a suit may need
    more than the two bits that its hand is packed in."""

    suits: int = 4
    cards_of_a_suit: int = 4
    k: int = 3

    @property
    def name(self):
        return "RepeatPrevious"

    @property
    def num_cards(self):
        return self.suits * self.cards_of_a_suit

    @property
    def observation_space(self):
        return Discrete(self.suits)

    @property
    def action_space(self):
        return Discrete(self.suits)

    def reset(self, key):
        deck = self.cards_of_a_suit * jnp.arange(1, self.suits + 1, dtype=jnp.int32)
        deck, suit = cards.deal(key, deck)
        return Hand(deck=deck, hand=jnp.zeros(self.k, jnp.int32).at[0].set(suit)), first(suit)

    def transition(self, key, state, action):
        dealt = self.num_cards - cards.left(state.deck)
        verdict = jnp.where(action == state.hand[-1], 1.0, -1.0) / (self.num_cards - self.k)
        deck, suit = cards.deal(key, state.deck)
        reward = jnp.where(dealt >= self.k, verdict, 0.0)
        hand = pushed(state.hand, suit)
        return Hand(deck=deck, hand=hand), then(suit, reward, terminated=cards.left(deck) == 0)

    def markov_state(self, state):
        to_come = cards.counts(state.deck) / self.cards_of_a_suit
        return jnp.concatenate([state.hand[::-1].astype(jnp.float32), to_come])


@dataclass(frozen=True)
class TinyRepeatFirst(repeat_first.RepeatFirst):
    """RepeatFirst with four cards of each suit, so 15 steps; all else is its rule."""

    cards_of_a_suit: int = 4

    @property
    def name(self):
        return "RepeatFirst"

    @property
    def num_cards(self):
        return 4 * self.cards_of_a_suit

    def reset(self, key):
        deck = self.cards_of_a_suit * jnp.arange(1, 5, dtype=jnp.int32)
        deck, suit = cards.deal(key, deck)
        return repeat_first.State(deck=deck, asked=suit), first(suit)


def pushed(hand: Int[Array, " k"], suit: Int[Array, ""]) -> Int[Array, " k"]:
    """The hand with one more card; the oldest falls out."""
    return jnp.concatenate([suit[None], hand[:-1]])


def rememberer(env: ManySuits) -> Player:
    """Remembers the last k cards: always right, and any answer will do before k are out."""

    def act(key, hand, obs, state):
        hand = pushed(hand, obs)
        return hand, hand[-1]

    nothing = jnp.zeros(env.k, jnp.int32)
    return Player("perfect memory", "history", "optimal", lambda: nothing, act)


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
