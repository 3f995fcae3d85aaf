"""Players whose own action was not taken: what they remember then, and players that slip.

A reference player remembers what it did. If something else was done instead, its memory must hold
that; `follow` puts it there. Where actions change nothing that is seen, no memory holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from popjax.core import Environment
from popjax.envs.concentration import NONE
from popjax.players.base import Player
from popjax.players.battleship import NEVER
from popjax.players.labyrinth import walk
from popjax.spaces import Discrete

Follow = Callable[[Any, Any, Array], Any]  # (memory before, memory after, action taken) -> memory


def follow(env: Environment) -> Follow:
    """Corrects the memory of the family's reference player after an action, its own or not."""
    if env.name not in FOLLOW:
        return lambda before, after, action: after
    correct, space = FOLLOW[env.name], env.action_space

    def corrected(before, after, action):
        named = space.to_number(action) if isinstance(space, Discrete) else action
        return correct(before, after, named)

    return corrected


def slipping(env: Environment, player: Player, share: float) -> Player:
    """The reference player of the family, or another with its memory, that takes a random action
    instead of its own with that chance, and knows that it did."""
    correct = follow(env)

    def act(key, memory, obs, state):
        key_act, key_slip, key_action = jax.random.split(key, 3)
        after, best = player.act(key_act, memory, obs, state)
        slip = jax.random.bernoulli(key_slip, share)
        action = jnp.where(slip, env.action_space.sample(key_action), best)
        return correct(memory, after, action), action

    return Player(f"{player.name}, {share:.0%} random", player.sees, "baseline", player.begin, act)


def _last_arm(before, after, arm):
    return after.replace(last=arm)


def _shot(before, after, cell):
    """A second shot at a cell tells nothing, and is a miss even where a ship lies."""
    hits, misses, _ = after
    return hits, misses, jnp.where((hits | misses).reshape(-1)[cell], NEVER, cell)


def _opened(before, after, cell):
    opened, counts, _, time = after
    return opened, counts, cell, time


def _turned(before, after, card):
    """A card whose pair is found, or the one that lies open, ends the turn without a pair."""
    _, _, turned = before
    seen, matched, _ = after
    lying = jnp.where(turned[1] != NONE, NONE, turned[0])
    turned = jnp.where(lying == NONE, jnp.stack([card, NONE]), jnp.stack([lying, card]))
    wasted = matched[card] | (card == lying)
    return seen, matched, jnp.where(wasted, NONE, turned)


def _walked(before, after, action):
    return walk(after.replace(position=before.position), action)


def _pushed(before, after, action):
    estimate, _ = after
    return estimate, action


FOLLOW: dict[str, Callable[[Any, Any, Array], Any]] = {
    "Battleship": _shot,
    "Concentration": _turned,
    "LabyrinthEscape": _walked,
    "LabyrinthExplore": _walked,
    "MineSweeper": _opened,
    "MultiarmedBandit": _last_arm,
    "NoisyPositionOnlyCartPole": _pushed,
    "NoisyPositionOnlyPendulum": _pushed,
    "PositionOnlyCartPole": _pushed,
    "PositionOnlyPendulum": _pushed,
    "VelocityOnlyCartPole": _pushed,
}
