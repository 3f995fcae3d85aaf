"""Players whose own action was not taken: what they remember then, and players that slip.

A reference player remembers what it did. If something else was done instead, its memory must hold
that; the `follow` of its file puts it there. Where actions change nothing that is seen, no memory
holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from popjax.core import Environment
from popjax.families import family_of
from popjax.players.base import Player
from popjax.spaces import Discrete

Follow = Callable[[Any, Any, Array], Any]  # (memory before, memory after, action taken) -> memory


def follow(env: Environment) -> Follow:
    """Corrects the memory of the family's reference player after an action, its own or not."""
    correct, space = getattr(family_of(env).players, "follow", None), env.action_space
    if correct is None:
        return lambda before, after, action: after

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
