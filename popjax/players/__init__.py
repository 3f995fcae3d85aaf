"""Scripted players: a random one, the best memoryless one known, and a reference player.

One file a family gives two functions, `memoryless(env)` and `reference(env)`; `PLAYERS` names the
file of each family.
"""

from __future__ import annotations

import functools
from types import ModuleType

from popjax.core import Environment
from popjax.players import (
    autoencode,
    battleship,
    cartpole,
    concentration,
    count_recall,
    higher_lower,
    labyrinth,
    minesweeper,
    multiarmed_bandit,
    pendulum,
    repeat_first,
    repeat_previous,
)
from popjax.players.base import Episodes, Player, play, random_player
from popjax.words import nearest

PLAYERS: dict[str, ModuleType] = {
    "Autoencode": autoencode,
    "Battleship": battleship,
    "Concentration": concentration,
    "CountRecall": count_recall,
    "HigherLower": higher_lower,
    "LabyrinthEscape": labyrinth,
    "LabyrinthExplore": labyrinth,
    "MineSweeper": minesweeper,
    "MultiarmedBandit": multiarmed_bandit,
    "NoisyPositionOnlyCartPole": cartpole,
    "NoisyPositionOnlyPendulum": pendulum,
    "PositionOnlyCartPole": cartpole,
    "PositionOnlyPendulum": pendulum,
    "RepeatFirst": repeat_first,
    "RepeatPrevious": repeat_previous,
    "VelocityOnlyCartPole": cartpole,
}
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
    return getattr(PLAYERS[env.name], kind)(env)


__all__ = ["KINDS", "PLAYERS", "Episodes", "Player", "make_player", "play", "random_player"]
