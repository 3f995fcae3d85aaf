"""Every environment by name: `FAMILIES`, `ENVS`, `make`."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from popjax.core import Environment
from popjax.envs import (
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
from popjax.words import nearest

FAMILIES: dict[str, dict[str, Environment]] = {
    "Autoencode": autoencode.LEVELS,
    "Battleship": battleship.LEVELS,
    "Concentration": concentration.LEVELS,
    "CountRecall": count_recall.LEVELS,
    "HigherLower": higher_lower.LEVELS,
    "LabyrinthEscape": labyrinth.ESCAPE,
    "LabyrinthExplore": labyrinth.EXPLORE,
    "MineSweeper": minesweeper.LEVELS,
    "MultiarmedBandit": multiarmed_bandit.LEVELS,
    "NoisyPositionOnlyCartPole": cartpole.NOISY_POSITION_ONLY,
    "NoisyPositionOnlyPendulum": pendulum.NOISY_POSITION_ONLY,
    "PositionOnlyCartPole": cartpole.POSITION_ONLY,
    "PositionOnlyPendulum": pendulum.POSITION_ONLY,
    "RepeatFirst": repeat_first.LEVELS,
    "RepeatPrevious": repeat_previous.LEVELS,
    "VelocityOnlyCartPole": cartpole.VELOCITY_ONLY,
}

ENVS: dict[str, Environment] = {
    family + level: env for family, levels in FAMILIES.items() for level, env in levels.items()
}

_OTHER_NAMES = {  # of the reference's own registry and of the older ports
    "VelocityOnlyCartpole": "VelocityOnlyCartPole",
    "NoisyStatelessCartPole": "NoisyPositionOnlyCartPole",
    "NoisyStatelessPendulum": "NoisyPositionOnlyPendulum",
    "StatelessCartPole": "PositionOnlyCartPole",
    "StatelessPendulum": "PositionOnlyPendulum",
    "MultiArmedBandit": "MultiarmedBandit",
    "Minesweeper": "MineSweeper",
}


def canonical(name: str) -> str:
    """The id in `ENVS` that a name stands for; a ValueError names the nearest one.

    >>> canonical("popgym-RepeatPreviousEasy-v0")
    'RepeatPreviousEasy'
    """
    short = re.sub(r"^popgym-|-v\d+$", "", name)
    for other, ours in _OTHER_NAMES.items():
        if short.startswith(other):
            short = ours + short.removeprefix(other)
            break
    if short in FAMILIES:  # the reference's levelless ids are its Easy settings
        short += "Easy"
    if short not in ENVS:
        raise ValueError(nearest(name, ENVS, "environment"))
    return short


def make(name: str, **changes: Any) -> Environment:
    """The environment of that name; keywords replace fields of it.

    The reference's ids and the names of the older JAX ports are understood too.

    >>> make("popgym-RepeatPreviousEasy-v0", k=8)
    RepeatPrevious(num_decks=1, k=8)
    """
    env = ENVS[canonical(name)]
    fields = [field.name for field in dataclasses.fields(env)]
    for change in changes:
        if change not in fields:
            raise ValueError(nearest(change, fields, f"field of {name}"))
    return dataclasses.replace(env, **changes)
