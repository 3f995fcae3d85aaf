"""RepeatFirst: name the suit of the very first card, again and again."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int

from popjax import cards, fields
from popjax.core import Environment, first, then
from popjax.spaces import Discrete


class State(struct.PyTreeNode):
    """deck: `[kinds]` the suits still to come, as cumulative counts.
    asked: `[]` the suit of the first card."""

    deck: Int[Array, " kinds"]
    asked: Int[Array, ""]


@dataclass(frozen=True)
class RepeatFirst(Environment):
    """A card is shown at every step; name the suit of the first one.

    Observation: `[]` int, the suit of the card just dealt.
    Action: `[]` int, a suit. At the first step that card is still in view.
    Reward: +-1 / (n - 1) for n cards, so a perfect player earns 1.
    End: terminated when the last card is dealt, after n - 1 steps.
    Differs from the reference in: nothing.
    Fields: deck, any deck.
    """

    deck: cards.Deck = cards.SUITS

    def __post_init__(self):
        fields.instance(self, "deck", cards.Deck, "cards.Deck(kinds, each)")

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
        return State(deck=deck, asked=suit), first(suit)

    def transition(self, key, state, action):
        reward = jnp.where(action == state.asked, 1.0, -1.0) / (self.num_cards - 1)
        deck, suit = cards.deal(key, state.deck)
        return state.replace(deck=deck), then(suit, reward, terminated=cards.left(deck) == 0)

    def markov_state(self, state):
        """`[1 + kinds]`: the first suit, and the share of each suit that is still to come."""
        to_come = cards.counts(state.deck) / self.deck.each
        return jnp.concatenate([state.asked[None].astype(jnp.float32), to_come])


LEVELS = {
    "Easy": RepeatFirst(deck=cards.SUITS),
    "Medium": RepeatFirst(deck=cards.decks(cards.SUITS, 8)),
    "Hard": RepeatFirst(deck=cards.decks(cards.SUITS, 16)),
}
