"""Players of CountRecall."""

from __future__ import annotations

import jax.numpy as jnp

from popjax.envs.count_recall import CountRecall
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player


def memoryless(env: CountRecall) -> Player:
    """The middle count, always: every count from 1 to m - 1 is right equally often."""
    middle = env.cards_of_a_kind // 2
    return memoryless_player("the middle count", "optimal", lambda obs: jnp.int32(middle))


def reference(env: CountRecall) -> Player:
    """Counts every kind: always right."""

    def act(key, counts, obs, state):
        shown, queried = obs
        counts = counts.at[shown].add(1)
        return counts, counts[queried]

    return Player(
        "perfect memory", "history", "optimal", lambda: jnp.zeros(env.num_kinds, jnp.int32), act
    )
