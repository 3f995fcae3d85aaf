"""Every environment by name: `FAMILIES`, `ENVS`, `make`, `register`."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from popjax.core import Environment
from popjax.families import FAMILIES, Family
from popjax.words import nearest

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
    if (
        short in FAMILIES and short not in ENVS
    ):  # the reference's levelless ids are its Easy settings
        short += "Easy"
    if short not in ENVS:
        raise ValueError(f"{nearest(name, ENVS, 'environment', most=3)} (popjax envs lists all)")
    return short


def make(name: str, **changes: Any) -> Environment:
    """The environment of that name; keywords replace fields of it.

    The reference's ids and the names of the older JAX ports are understood too.

    >>> make("popgym-RepeatPreviousEasy-v0", k=8)
    RepeatPrevious(deck=Deck(kinds=4, each=13), k=8)
    """
    env = ENVS[canonical(name)]
    fields = [field.name for field in dataclasses.fields(env)]
    for change in changes:
        if change not in fields:
            raise ValueError(nearest(change, fields, f"field of {name}"))
    return dataclasses.replace(env, **changes)


def register(name: str, env: Environment, like: str | None = None) -> Environment:
    """Makes an environment of one's own known by that name, and returns it.

    Its family is `env.name`. One that is known already lends its players, floor, scene, words and
    facts, as a card game of another deck needs; so does the family `like` to a new one. Without
    either there is a random player, and nothing else is assumed. Scores are known for the 48 ids
    alone. To register an equal environment again changes nothing; a name that another one has, an
    unknown family and an impossible name are a ValueError.

    >>> from popjax import Deck
    >>> env = register("RepeatPreviousTiny", make("RepeatPreviousEasy", deck=Deck(4, 4), k=3))
    >>> make("RepeatPreviousTiny").max_steps
    15
    """
    if not isinstance(env, Environment):
        raise ValueError(f"{name} is a popjax.Environment, not {type(env).__name__}")
    if not re.fullmatch(r"[A-Za-z]\w*", name):
        raise ValueError(f"a name of an environment is letters, digits and _, not {name!r}")
    if ENVS.get(name, env) != env:
        raise ValueError(f"another environment is called {name}")
    if like is not None and like not in FAMILIES:
        raise ValueError(nearest(like, FAMILIES, "family"))
    own = FAMILIES.get(env.name)
    if own is not None and like not in (None, env.name):
        raise ValueError(f"the family {env.name} is known already: it cannot be like {like}")
    if own is None:
        parts = vars(FAMILIES[like]) if like else {}
        level = name.removeprefix(env.name)
        FAMILIES[env.name] = Family(**{**parts, "levels": {level: env}})
    ENVS[name] = env
    return env
