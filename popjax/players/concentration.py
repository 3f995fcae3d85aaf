"""Players of Concentration."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from popjax.envs.concentration import NONE, Concentration
from popjax.players.base import Player


def memoryless(env: Concentration) -> Player:
    """Any card that lies face down: never a found one, never the same one twice."""

    def act(key, memory, obs, state):
        chance = jax.random.uniform(key, (env.num_cards,))
        return memory, jnp.argmax(jnp.where(obs == env.num_kinds, chance, -1.0))

    return Player("any face-down card", "obs", "baseline", lambda: (), act)


def reference(env: Concentration) -> Player:
    """Remembers every card, and keeps the pairs it knows for last: they can be had at any time,
    and until then each of their cards may serve a card that is turned up.

    A turn begins with an unknown card. If the mate of that card is known it is taken; else, and
    where luck is likely, an unknown card is tried. How likely is told by the excess of each kind,
    its unknown cards less its known ones.

    Dynamic programming over the numbers of known and unknown cards of each kind says that nothing
    earns more at the Hard level (0.732), where luck is never likely enough, and that this rule
    loses 1e-5 at Easy (0.833) and Medium (0.833). Taking known pairs first earns 0.814, 0.813 and
    0.698.
    """
    place = np.arange(env.num_cards)
    each = env.num_cards // env.num_kinds

    def begin():
        seen = jnp.full((env.num_cards,), env.num_kinds, jnp.int32)
        return seen, jnp.zeros((env.num_cards,), bool), jnp.full((2,), NONE, jnp.int32)

    def act(key, memory, obs, state):
        seen, matched, turned = memory
        seen = jnp.where(obs == env.num_kinds, seen, obs)
        turn_over = turned[1] != NONE
        pair = turn_over & (seen[turned[0]] == seen[turned[1]])
        matched = matched | (pair & ((place == turned[0]) | (place == turned[1])))
        lying = jnp.where(turn_over, NONE, turned[0])

        unknown = seen == env.num_kinds
        known = ~unknown & ~matched & (place != lying)
        kind = seen[lying]
        mates = known & (seen == kind)
        unknown_mates = each - jnp.sum(seen == kind)
        excess = unknown_mates + 1 - jnp.sum(mates)
        other_excess = jnp.sum(unknown) - unknown_mates - jnp.sum(known & ~mates)
        try_luck = (excess >= 4) & (other_excess >= 2) & (excess >= other_excess)

        new = jnp.argmax(jnp.where(jnp.any(unknown), unknown, known))
        second = jnp.where(jnp.any(mates) & ~try_luck, jnp.argmax(mates), new)
        action = jnp.where(lying == NONE, new, second)
        turned = jnp.where(lying == NONE, jnp.stack([action, NONE]), jnp.stack([lying, action]))
        return (seen, matched, turned), action

    best = "optimal" if env == Concentration(num_decks=1, kind="ranks") else "bound"
    return Player("perfect memory, known pairs last", "history", best, begin, act)
