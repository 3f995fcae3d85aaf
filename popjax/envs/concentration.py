"""Concentration: find the pairs among cards that lie face down."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Int, Key

from popjax import cards, fields
from popjax.core import Environment, first, then
from popjax.spaces import Discrete

NONE = -1  # no card
MOST_CARDS = 1040  # so that ties in `shuffled` are rarer than one board in 8,000


def shuffled(key: Key[Array, ""], kinds: int, num_cards: int) -> Int[Array, " n"]:
    """A shuffled deck `[n]`, as many cards of each kind. The key is consumed.

    Every place draws 32 bits, and the place with the r-th smallest draw gets the r-th card. All
    orders are equally likely except for ties, whose probability is below n^2 / 2**33.
    """
    bits = jax.random.bits(key, (num_cards,), jnp.uint32)
    place = np.arange(num_cards)
    mine, other = bits[:, None], bits[None, :]
    before = (other < mine) | ((other == mine) & (place[None, :] < place[:, None]))
    return jnp.sum(before, axis=1, dtype=jnp.int32) * kinds // num_cards


class State(struct.PyTreeNode):
    """layout: `[n]` the kind of the card at each place. matched: `[n]` its pair is found.
    turned: `[2]` the places of the cards turned last, NONE for a second one not turned yet.
    time: `[]` steps taken."""

    layout: Int[Array, " n"]
    matched: Bool[Array, " n"]
    turned: Int[Array, "2"]
    time: Int[Array, ""]


@dataclass(frozen=True)
class Concentration(Environment):
    """Turn two cards per turn; a pair stays face up, other cards are turned back.

    Observation: `[n]` int, the kind of each card that lies face up and `num_kinds` for a card
        that lies face down. It is taken after the flip and before the turn ends, so it shows both
        cards of a turn that failed; they are down again when the next card is turned.
    Action: `[]` int, the place of the card to turn.
    Reward: 2 / n for a pair, so all of them earn 1; -2 / T for two cards that are no pair, or for
        the same card twice. Turning a card whose pair is found ends the turn, -1 / T for each
        card turned in it.
    End: terminated when all pairs are found, truncated after T = 2 n steps; both may be true.
    Differs from the reference in: nothing.
    Fields: deck, of an even number of each kind, at most 1,040 cards.
    """

    needs_previous_action = True

    deck: cards.Deck = cards.COLORS

    def __post_init__(self):
        fields.instance(self, "deck", cards.Deck, "cards.Deck(kinds, each)")
        pairs = self.deck.each % 2 == 0 and self.deck.num_cards <= MOST_CARDS
        rule = f"has an even number of each kind and at most {MOST_CARDS:,} cards"
        fields.check(self, "deck", pairs, rule)

    @property
    def num_cards(self) -> int:
        return self.deck.num_cards

    @property
    def num_kinds(self) -> int:
        return self.deck.kinds

    @property
    def max_steps(self) -> int:
        return 2 * self.num_cards

    @property
    def observation_space(self) -> Discrete:
        return Discrete((self.num_kinds + 1,) * self.num_cards)

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.num_cards)

    def reset(self, key):
        state = State(
            layout=shuffled(key, self.num_kinds, self.num_cards),
            matched=jnp.zeros((self.num_cards,), bool),
            turned=jnp.full((2,), NONE, jnp.int32),
            time=jnp.int32(0),
        )
        return state, first(jnp.full((self.num_cards,), self.num_kinds, jnp.int32))

    def transition(self, key, state, action):
        lying = self.in_play(state)
        second = lying != NONE
        found_before = state.matched[action]
        pair = second & (action != lying) & (state.layout[action] == state.layout[lying])
        pair = pair & ~found_before

        place = np.arange(self.num_cards)
        in_play = (place == action) | (place == lying)
        obs = jnp.where(state.matched | in_play, state.layout, self.num_kinds)
        penalty = -jnp.where(second, 2, found_before) / self.max_steps
        reward = jnp.where(pair, 2 / self.num_cards, penalty)

        matched = state.matched | (in_play & pair)
        turned = jnp.where(second, jnp.stack([lying, action]), jnp.stack([action, NONE]))
        state = State(state.layout, matched, turned, state.time + 1)
        truncated = state.time >= self.max_steps
        return state, then(obs, reward, terminated=jnp.all(matched), truncated=truncated)

    def in_play(self, state: State) -> Int[Array, ""]:
        """The place of the card that waits for its turn's second, or NONE."""
        open_turn = (state.turned[1] == NONE) & ~state.matched[state.turned[0]]
        return jnp.where(open_turn, state.turned[0], NONE)

    def markov_state(self, state):
        """`[2 n + 2]`: the kinds of all cards, whether the pair of each is found, and the places
        of the two cards turned last (`num_kinds` for none, as in the reference)."""
        turned = jnp.where(state.turned == NONE, self.num_kinds, state.turned)
        return jnp.concatenate([state.layout, state.matched, turned]).astype(jnp.float32)


LEVELS = {
    "Easy": Concentration(deck=cards.COLORS),
    "Medium": Concentration(deck=cards.decks(cards.COLORS, 2)),
    "Hard": Concentration(deck=cards.RANKS),
}
