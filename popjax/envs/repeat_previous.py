"""RepeatPrevious: name the suit that was shown k cards ago."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int, UInt32

from popjax import cards, fields
from popjax.core import Environment, first, then
from popjax.spaces import Discrete


class State(struct.PyTreeNode):
    """deck: `[kinds]` the suits still to come, as cumulative counts.
    hand: the newest k suits, packed."""

    deck: Int[Array, " kinds"]
    hand: UInt32[Array, " words"]


@dataclass(frozen=True)
class RepeatPrevious(Environment):
    """A card is shown at every step; name the suit of the k-th newest card.

    Observation: `[]` int, the suit of the card just dealt.
    Action: `[]` int, a suit. It is compared with the k-th newest card *before* the new card is
        dealt, so the answer lies k - 1 observations back.
    Reward: +-1 / (n - k) for n cards, so a perfect player earns 1; 0 while fewer than k are dealt.
    End: terminated when the last card is dealt, after n - 1 steps.
    Differs from the reference in: nothing.
    Fields: deck, any; k from 1 to n - 1.
    """

    deck: cards.Deck = cards.SUITS
    k: int = 4

    def __post_init__(self):
        fields.instance(self, "deck", cards.Deck, "cards.Deck(kinds, each)")
        with_cards = f"with {self.num_cards} cards"
        fields.whole(self, "k", 1, self.num_cards - 1, with_cards)

    @property
    def num_cards(self) -> int:
        return self.deck.num_cards

    @property
    def max_steps(self) -> int:
        return self.num_cards - 1

    @property
    def observation_space(self) -> Discrete:
        return Discrete(self.deck.kinds)

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.deck.kinds)

    def reset(self, key):
        deck, suit = cards.deal(key, self.deck.new())
        return State(
            deck=deck,
            hand=cards.push(cards.empty_hand(self.k, self.deck.bits), suit, self.deck.bits),
        ), first(suit)

    def transition(self, key, state, action):
        dealt = self.num_cards - cards.left(state.deck)
        asked = cards.peek(state.hand, self.k - 1, self.deck.bits)
        verdict = jnp.where(action == asked, 1.0, -1.0) / (self.num_cards - self.k)
        deck, suit = cards.deal(key, state.deck)
        state = State(deck=deck, hand=cards.push(state.hand, suit, self.deck.bits))
        reward = jnp.where(dealt >= self.k, verdict, 0.0)
        return state, then(suit, reward, terminated=cards.left(deck) == 0)

    def markov_state(self, state):
        """`[k + kinds]`: the newest k suits, oldest first (0 before the first), and the share of
        each suit that is still to come."""
        suits = cards.unpack(state.hand, self.k, self.deck.bits)[::-1]
        to_come = cards.counts(state.deck) / self.deck.each
        return jnp.concatenate([suits.astype(jnp.float32), to_come])


LEVELS = {
    "Easy": RepeatPrevious(deck=cards.SUITS, k=4),
    "Medium": RepeatPrevious(deck=cards.decks(cards.SUITS, 2), k=32),
    "Hard": RepeatPrevious(deck=cards.decks(cards.SUITS, 3), k=64),
}


def answerable(env: RepeatPrevious, obs, t):
    """`[]` bool, k cards are out."""
    return jnp.asarray(t) >= env.k - 1
