"""Every environment by name: `FAMILIES`, `ENVS`, `make`, `register`."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

from popjax import places
from popjax.contract import check_environment
from popjax.core import Environment
from popjax.families import FAMILIES, Family
from popjax.words import nearest

ENVS: dict[str, Environment] = {
    family + level: env for family, levels in FAMILIES.items() for level, env in levels.items()
}
SHIPPED = frozenset(ENVS)
"""The ids that mean the same in every process; others are what somebody registered."""
_SHIPPED_FAMILIES = frozenset(FAMILIES)

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

    `module:NAME`, such as `mymaze:TMaze`, is an environment or a class of them in a file of the
    user's: it is imported, and known by that name from then on.

    >>> canonical("popgym-RepeatPreviousEasy-v0")
    'RepeatPreviousEasy'
    """
    if places.is_place(name):
        return _imported(name)
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

    The reference's ids and the names of the older JAX ports are understood too, and `module:NAME`
    for one of your own, see `canonical`.

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
    return _add(name, check_environment(env, name), like)


def _imported(place: str) -> str:
    """The name of an environment in a file of the user's, which is registered under that name."""
    if place in ENVS:
        return place
    module, name = places.load_module(place), place.partition(":")[2]
    if not hasattr(module, name) and name in ENVS:  # what the module itself has registered
        env = ENVS[name]
    else:
        env = places.find(place, _is_environment, "popjax.Environment")
    if isinstance(env, type):
        try:
            env = env()
        except Exception as error:
            raise ValueError(f"{place}() fails: {places.describe(error)}") from None
    _add(place, check_environment(env, place))
    return place


def _is_environment(thing: Any) -> bool:
    """An environment, or a class of them."""
    if isinstance(thing, type):
        return issubclass(thing, Environment) and thing is not Environment
    return isinstance(thing, Environment)


def _add(name: str, env: Environment, like: str | None = None) -> Environment:
    if ENVS.get(name, env) != env:
        raise ValueError(f"another environment is called {name}")
    if like is not None and like not in FAMILIES:
        raise ValueError(nearest(like, FAMILIES, "family"))
    own = FAMILIES.get(env.name)
    if own is not None and like not in (None, env.name):
        raise ValueError(f"the family {env.name} is known already: it cannot be like {like}")
    if env.name in _SHIPPED_FAMILIES and not isinstance(env, tuple(map(type, own.values()))):
        raise ValueError(f"{env.name} is a game of popjax: give the class of {name} another name")
    if own is None:
        parts = vars(FAMILIES[like]) if like else {}
        level = name.rpartition(":")[2].removeprefix(env.name)
        FAMILIES[env.name] = Family(**{**parts, "levels": {level: env}})
    ENVS[name] = env
    return env
