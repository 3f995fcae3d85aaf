"""Players of RepeatFirst."""

from __future__ import annotations

import jax.numpy as jnp

from popjax.envs.repeat_first import RepeatFirst
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player


def memoryless(env: RepeatFirst) -> Player:
    """The suit shown: right at the first step, which is worth a little more than what is lost
    later, when the suit on the table is a little less likely than another."""
    return memoryless_player("the suit shown", "optimal", lambda obs: obs)


def reference(env: RepeatFirst) -> Player:
    """Remembers the first suit: always right."""

    def act(key, remembered, obs, state):
        remembered = jnp.where(remembered < 0, obs, remembered)
        return remembered, remembered

    return Player("perfect memory", "history", "optimal", lambda: jnp.int32(-1), act)
