"""Players of RepeatPrevious."""

from __future__ import annotations

from popjax import cards
from popjax.envs.repeat_previous import RepeatPrevious
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player


def memoryless(env: RepeatPrevious) -> Player:
    """Any suit but the one shown: a deck runs out, so the suit on the table is a little less
    likely to have come k - 1 cards ago as well. With k = 1 the card on the table is the one that
    is asked for."""
    if env.k == 1:
        return memoryless_player("the suit shown", "optimal", lambda obs: obs)
    return memoryless_player("another suit", "optimal", lambda obs: (obs + 1) % env.deck.kinds)


def reference(env: RepeatPrevious) -> Player:
    """Remembers the last k cards: always right, and any answer will do before k are out."""
    bits = env.deck.bits

    def act(key, hand, obs, state):
        hand = cards.push(hand, obs, bits)
        return hand, cards.peek(hand, env.k - 1, bits)

    def begin():
        return cards.empty_hand(env.k, bits)

    return Player("perfect memory", "history", "optimal", begin, act)
