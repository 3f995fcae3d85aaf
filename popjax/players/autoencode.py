"""Players of Autoencode."""

from __future__ import annotations

import jax.numpy as jnp

from popjax import cards
from popjax.envs.autoencode import PLAY, Autoencode
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player


def memoryless(env: Autoencode) -> Player:
    """The suit shown: right for the last card, which is still on the table when it is asked for;
    after it the suit 0, as good as any other."""
    return memoryless_player("the suit shown", "optimal", lambda obs: obs[1])


def reference(env: Autoencode) -> Player:
    """Remembers all cards: always right."""
    bits = env.deck.bits

    def begin():
        return cards.empty_hand(env.num_cards, bits), jnp.asarray(False)

    def act(key, memory, obs, state):
        hand, reciting = memory
        mode, suit = obs
        hand = jnp.where(reciting, hand, cards.push(hand, suit, bits))
        reciting = mode == PLAY
        answer = cards.peek(hand, bits=bits)
        return (jnp.where(reciting, cards.pop(hand, bits), hand), reciting), answer

    return Player("perfect memory", "history", "optimal", begin, act)
