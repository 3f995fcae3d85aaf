"""HigherLower: bet whether the next card is higher or lower."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int

from popjax import cards, fields
from popjax.core import Environment, first, then
from popjax.spaces import Discrete

HIGHER, LOWER = 0, 1


class State(struct.PyTreeNode):
    """deck: `[kinds]` the ranks still to come, as cumulative counts.
    rank: `[]` the card on the table."""

    deck: Int[Array, " kinds"]
    rank: Int[Array, ""]


@dataclass(frozen=True)
class HigherLower(Environment):
    """A card lies on the table; bet whether the next one is higher or lower in rank.

    Observation: `[]` int, the rank of the card on the table, from the ace, 0, to the king, 12.
    Action: `[]` int, 0 for higher, 1 for lower.
    Reward: +-1 / n for n cards; 0 if the next card has the same rank.
    End: terminated when the last card is dealt, after n - 1 steps.
    Differs from the reference in: nothing.
    Fields: deck, any deck.
    """

    deck: cards.Deck = cards.RANKS

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
        return Discrete(2)

    def reset(self, key):
        deck, rank = cards.deal(key, self.deck.new())
        return State(deck=deck, rank=rank), first(rank)

    def transition(self, key, state, action):
        deck, rank = cards.deal(key, state.deck)
        bet = jnp.where(action == HIGHER, 1, -1)
        reward = bet * jnp.sign(rank - state.rank) / self.num_cards
        return State(deck=deck, rank=rank), then(rank, reward, terminated=cards.left(deck) == 0)

    def markov_state(self, state):
        """`[kinds]`: the share of each rank that was shown."""
        return 1 - cards.counts(state.deck) / self.deck.each


LEVELS = {
    "Easy": HigherLower(deck=cards.RANKS),
    "Medium": HigherLower(deck=cards.decks(cards.RANKS, 2)),
    "Hard": HigherLower(deck=cards.decks(cards.RANKS, 3)),
}
