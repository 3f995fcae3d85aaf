"""CountRecall: say how many cards of a kind have been seen."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int

from popjax import cards, fields
from popjax.core import Environment, first, then
from popjax.spaces import Discrete


class State(struct.PyTreeNode):
    """decks: `[2, kinds]` the cards still to come, as cumulative counts, of those shown and of the
        queries.
    shown: `[2]` the kind dealt and the kind queried, as on the table now."""

    decks: Int[Array, "2 kinds"]
    shown: Int[Array, "2"]


@dataclass(frozen=True)
class CountRecall(Environment):
    """Two decks are dealt in parallel: one shows a card, the other queries a kind. Say how many
    cards of the queried kind have been shown so far.

    Observation: `[2]` int, the kind of the card just dealt and the kind queried.
    Action: `[]` int, a count from 0 to m, the number of cards of one kind in a deck. The card just
        dealt counts.
    Reward: +-1 / (n - 1) for n cards per deck, so a perfect player earns 1.
    End: terminated when the last card is dealt, after n - 1 steps.
    Differs from the reference in: nothing (before its release 1.0.7 the count m was missing).
    Fields: deck, any deck.
    """

    deck: cards.Deck = cards.COLORS

    def __post_init__(self):
        fields.instance(self, "deck", cards.Deck, "cards.Deck(kinds, each)")

    @property
    def num_kinds(self) -> int:
        return self.deck.kinds

    @property
    def num_cards(self) -> int:
        return self.deck.num_cards

    @property
    def cards_of_a_kind(self) -> int:
        return self.deck.each

    @property
    def max_steps(self) -> int:
        return self.num_cards - 1

    @property
    def observation_space(self) -> Discrete:
        return Discrete((self.num_kinds, self.num_kinds))

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.cards_of_a_kind + 1)

    def reset(self, key):
        deck = self.deck.new()
        decks, shown = cards.deal(key, jnp.stack([deck, deck]))
        return State(decks=decks, shown=shown), first(shown)

    def transition(self, key, state, action):
        count = self.cards_of_a_kind - cards.counts(state.decks[0])[state.shown[1]]
        reward = jnp.where(action == count, 1.0, -1.0) / (self.num_cards - 1)
        decks, shown = cards.deal(key, state.decks)
        terminated = cards.left(decks[0]) == 0
        return State(decks=decks, shown=shown), then(shown, reward, terminated=terminated)

    def markov_state(self, state):
        """`[2 * kinds + 2]`: the share of each kind that was shown, the share of each that was
        queried, and the two kinds on the table."""
        gone = 1 - cards.counts(state.decks) / self.cards_of_a_kind
        return jnp.concatenate([gone.reshape(-1), state.shown.astype(jnp.float32)])


LEVELS = {
    "Easy": CountRecall(deck=cards.COLORS),
    "Medium": CountRecall(deck=cards.decks(cards.SUITS, 2)),
    "Hard": CountRecall(deck=cards.decks(cards.RANKS, 4)),
}
