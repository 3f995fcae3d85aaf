"""Players of HigherLower."""

from __future__ import annotations

import jax.numpy as jnp

from popjax import cards
from popjax.envs.higher_lower import HIGHER, LOWER, HigherLower
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player


def memoryless(env: HigherLower) -> Player:
    """Higher below the middle rank (the seven of a deck of 13), else lower."""
    middle = (env.deck.kinds - 1) / 2
    return memoryless_player(
        "fixed threshold", "optimal", lambda obs: jnp.where(obs < middle, HIGHER, LOWER)
    )


def reference(env: HigherLower) -> Player:
    """Counts the cards and bets on the side where more are left. The bets do not change the
    cards, so the best bet of each step is the best play."""
    ranks = jnp.arange(env.deck.kinds)

    def begin():
        return cards.counts(env.deck.new())

    def act(key, to_come, obs, state):
        to_come = to_come - (ranks == obs)
        above, below = jnp.sum(to_come * (ranks > obs)), jnp.sum(to_come * (ranks < obs))
        return to_come, jnp.where(above >= below, HIGHER, LOWER)

    return Player("card counter", "history", "optimal", begin, act)
