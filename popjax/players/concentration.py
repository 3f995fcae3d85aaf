"""Players of Concentration."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from popjax import cards
from popjax.envs.concentration import NONE, Concentration
from popjax.players.base import Player


def memoryless(env: Concentration) -> Player:
    """With two kinds, a player that lets the place of a card remember for it; else `any_card`."""
    return place_as_memory(env) if env.num_kinds == 2 else any_card(env)


def any_card(env: Concentration) -> Player:
    """Any card that lies face down: never a found one, never the same one twice. It does not use
    its own last action. Earns 0.45, 0.46 and -0.82."""

    def act(key, memory, obs, state):
        chance = jax.random.uniform(key, (env.num_cards,))
        return memory, jnp.argmax(jnp.where(obs == env.num_kinds, chance, -1.0))

    return Player("any face-down card", "obs", "baseline", lambda: (), act)


def place_as_memory(env: Concentration) -> Player:
    """Writes what it must remember into its own last action, which it sees. Earns 0.76, almost as
    much as perfect memory does.

    Say that the cards not yet matched lie in the places 0, 1, 2, ... A turn takes 1, then 0. If
    they are no pair, they are one of each kind, and the next turn can find a mate for any card: it
    takes 2 if 0 was black and 3 if it was red. When that card is up, its place tells the kind of
    0, and so which of 0 and 1 is its mate.
    """
    place = np.arange(env.num_cards)
    black, red = 0, 1

    def act(key, last, obs, state):
        down = obs == env.num_kinds
        kind = obs[last]

        def nth(n):
            n = jnp.minimum(n, jnp.sum(down) - 1)
            return jnp.argmax(down & (jnp.cumsum(down) - 1 == n)).astype(jnp.int32)

        failed = jnp.sum(obs == black) % 2 == 1  # so 0 and 1 are up, and 0 was turned last
        first = nth(jnp.where(failed, jnp.where(kind == black, 0, 1), 1))
        before = jnp.sum(down & (place < last))
        kind_of_0 = jnp.where(before == 2, black, red)
        second = nth(jnp.where((before == 1) | (kind == kind_of_0), 0, 1))
        one_lies = jnp.sum(~down) % 2 == 1
        card = jnp.where(one_lies, second, first)
        return card, card

    return Player("place as memory", "obs", "bound", lambda: jnp.int32(0), act)


def reference(env: Concentration) -> Player:
    """Remembers every card, and keeps the pairs it knows for last: they can be had at any time,
    and until then each of their cards may serve a card that is turned up.

    A turn begins with an unknown card. If the mate of that card is known it is taken; else, and
    where luck is likely, an unknown card is tried. How likely follows from the excess of each kind,
    its unknown cards less its known ones.

    Dynamic programming over the numbers of known and unknown cards of each kind says that nothing
    earns more at the Hard level (0.732), where luck is never likely enough, and that this rule
    loses 1e-5 at Easy (0.833) and Medium (0.833). Taking known pairs first earns 0.814, 0.813 and
    0.698.
    """
    place = np.arange(env.num_cards)
    each = env.deck.each

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

    best = "optimal" if env == Concentration(deck=cards.RANKS) else "bound"
    return Player("perfect memory, known pairs last", "history", best, begin, act)


def follow(before, after, card):
    """A card whose pair is found, or the one that lies open, ends the turn without a pair."""
    _, _, turned = before
    seen, matched, _ = after
    lying = jnp.where(turned[1] != NONE, NONE, turned[0])
    turned = jnp.where(lying == NONE, jnp.stack([card, NONE]), jnp.stack([lying, card]))
    wasted = matched[card] | (card == lying)
    return seen, matched, jnp.where(wasted, NONE, turned)
