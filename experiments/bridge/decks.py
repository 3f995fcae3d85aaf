"""Tiny decks: RepeatPrevious with any number of suits, RepeatFirst with any number of cards."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int

from popjax import cards
from popjax.core import first, then
from popjax.envs import repeat_first, repeat_previous
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
