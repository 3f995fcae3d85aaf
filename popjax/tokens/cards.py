"""Card games as tokens."""

from __future__ import annotations

import jax.numpy as jnp

from popjax.envs.autoencode import WATCH
from popjax.envs.higher_lower import HIGHER
from popjax.tokens.targets import Target
from popjax.tokens.words import Words

COLORS = ("black", "red")
SUITS = ("spade", "diamond", "club", "heart")
RANKS = ("ace", "2", "3", "4", "5", "6", "7", "8", "9", "10", "jack", "queen", "king")
NAMED = {2: COLORS, 4: SUITS, 13: RANKS}


def kinds_of(num_kinds: int) -> tuple[str, ...]:
    """What the kinds of a deck are called: 2 colours, 4 suits, 13 ranks, or so many letters.

    >>> kinds_of(3)
    ('kind 1', 'kind 2', 'kind 3')
    """
    return NAMED.get(num_kinds) or tuple(f"kind {i + 1}" for i in range(num_kinds))


class CardWords(Words):
    """One card a step; the kinds are named."""

    @property
    def kinds(self) -> tuple[str, ...]:
        return kinds_of(self.env.deck.kinds)

    def observation(self, component, value):
        return self.kinds[value]


class RepeatWords(CardWords):
    """RepeatFirst, RepeatPrevious: a suit that was shown is said."""

    def action(self, value):
        return f"say {self.kinds[value]}"


class AutoencodeWords(RepeatWords):
    """Autoencode: suits are watched, then said."""

    def observation(self, component, value):
        mode, kind = divmod(value, self.env.deck.kinds)
        return f"{'watch' if mode == WATCH else 'play'} {self.kinds[kind]}"


class CountRecallWords(CardWords):
    """CountRecall: a card, a query, and a number for an answer."""

    def observation(self, component, value):
        card, query = divmod(value, self.env.deck.kinds)
        return f"{self.kinds[card]}, how many {self.kinds[query]}?"

    def action(self, value):
        return f"say {value}"


class HigherLowerWords(CardWords):
    """HigherLower: a rank, and a bet."""

    def action(self, value):
        return "higher" if value == HIGHER else "lower"


class TableWords(CardWords):
    """Concentration: what lies at each place of the table."""

    def observation(self, component, value):
        kind = "down" if value == self.env.deck.kinds else self.kinds[value]
        return f"card {component + 1} {kind}"

    def action(self, value):
        return f"turn card {value + 1}"

    def tokens(self):
        return list(self.kinds)

    def first(self, obs):
        return "all face down"


class TurnedCard(Target):
    """Concentration: the kind of the card just turned. With the history and the action it gives
    the whole board, and no component of that is in doubt but this one."""

    @property
    def sizes(self):
        return (self.env.deck.kinds,)

    def token(self, obs, action, timestep):
        return timestep.obs[action][None]

    def answer(self, state, action, token):
        """The rule says which cards stay face up: the card that the token names is laid where the
        action turns one."""
        state = state.replace(layout=state.layout.at[action].set(token[0]))
        state, timestep = self.env.transition(None, state, action)
        return state, jnp.asarray(timestep.obs)
