"""Autoencode: watch the whole deck, then recite it backwards."""

from __future__ import annotations

from dataclasses import dataclass

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Int, UInt32

from popjax import cards, fields
from popjax.core import Environment, first, then
from popjax.spaces import Discrete

PLAY, WATCH = 0, 1


class State(struct.PyTreeNode):
    """deck: `[kinds]` the suits still to come, as cumulative counts.
    hand: the suits seen and not yet recited, packed. held: `[]` how many these are."""

    deck: Int[Array, " kinds"]
    hand: UInt32[Array, " words"]
    held: Int[Array, ""]


@dataclass(frozen=True)
class Autoencode(Environment):
    """All cards are shown one by one; then name their suits, the last card first.

    Observation: `[2]` int, the mode (WATCH 1, PLAY 0) and a suit: that of the card just dealt.
        The last card arrives together with the mode PLAY; after it the suit shown is 0.
    Action: `[]` int, a suit. It is ignored in WATCH.
    Reward: +-1 / n for n cards in PLAY, so a perfect player earns 1; 0 in WATCH.
    End: terminated when the last suit is recited, after 2 n - 1 steps.
    Differs from the reference in: nothing, but `markov_state` does not hold the cards to come.
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
        return 2 * self.num_cards - 1

    @property
    def observation_space(self) -> Discrete:
        return Discrete((2, self.deck.kinds))

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.deck.kinds)

    def reset(self, key):
        deck, suit = cards.deal(key, self.deck.new())
        hand = cards.push(cards.empty_hand(self.num_cards, self.deck.bits), suit, self.deck.bits)
        return State(deck=deck, hand=hand, held=jnp.int32(1)), first(jnp.stack([WATCH, suit]))

    def transition(self, key, state, action):
        play = cards.left(state.deck) == 0
        verdict = (
            jnp.where(action == cards.peek(state.hand, bits=self.deck.bits), 1.0, -1.0)
            / self.num_cards
        )
        deck, suit = cards.deal(key, state.deck)
        held = jnp.maximum(state.held + jnp.where(play, -1, 1), 0)
        hand = jnp.where(
            play,
            cards.pop(state.hand, self.deck.bits),
            cards.push(state.hand, suit, self.deck.bits),
        )
        mode = jnp.where(cards.left(deck) == 0, PLAY, WATCH)
        return State(deck=deck, hand=hand, held=held), then(
            jnp.stack([mode, jnp.where(play, 0, suit)]),
            jnp.where(play, verdict, 0.0),
            terminated=play & (held == 0),
        )

    def markov_state(self, state):
        """`[n + 2]`: the suits held, newest first (0 behind the oldest), the mode, and the share
        of the cards that is held. The reference gives the order of the whole deck, the cards to
        come included; here they are dealt when they are seen, so there is no such order."""
        suits = cards.unpack(state.hand, self.num_cards, self.deck.bits)
        mode = jnp.where(cards.left(state.deck) == 0, PLAY, WATCH)
        share = state.held / self.num_cards
        return jnp.concatenate([suits.astype(jnp.float32), jnp.stack([mode, share])])


LEVELS = {
    "Easy": Autoencode(deck=cards.SUITS),
    "Medium": Autoencode(deck=cards.decks(cards.SUITS, 2)),
    "Hard": Autoencode(deck=cards.decks(cards.SUITS, 3)),
}


def answerable(env: Autoencode, obs, t):
    """`[]` bool, a suit is asked for, not watched."""
    return obs[0] == PLAY
