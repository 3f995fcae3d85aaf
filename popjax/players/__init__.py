"""Scripted players: random, the best known without memory, and a reference player.

One file per family defines two functions, `memoryless(env)` and `reference(env)`;
`popjax.families` says which.
"""

from __future__ import annotations

import functools

from popjax.core import Environment
from popjax.families import family_of
from popjax.players.base import Episodes, Player, play, random_player
from popjax.words import nearest

KINDS = ("random", "memoryless", "reference")


def make_player(env: Environment, kind: str = "reference") -> Player:
    """The player of that kind ("random", "memoryless", "reference") for an environment.

    Equal environments get the same object, so that `play` compiles once for them.

    >>> import popjax
    >>> make_player(popjax.make("RepeatPreviousHard")).name
    'perfect memory'
    """
    if kind not in KINDS:
        raise ValueError(nearest(kind, KINDS, "player"))
    return _player(env, kind)


@functools.cache
def _player(env: Environment, kind: str) -> Player:
    if kind == "random":
        return random_player(env)
    players = family_of(env).players
    if players is None:
        raise ValueError(f"no {kind} player of {env.name} is known, only a random one")
    return getattr(players, kind)(env)


__all__ = ["KINDS", "Episodes", "Player", "make_player", "play", "random_player"]
