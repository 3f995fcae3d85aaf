"""Networks and spaces as plain data: what they are called and their fields."""

from __future__ import annotations

import dataclasses
from typing import Any

from agents.cells import EquivariantActorCritic, EquivariantBackbone
from agents.memory import MEMORIES, Memory
from agents.networks import ActorCritic, Backbone, HeadInit
from agents.own_memory import memory_class
from agents.published import PaperBackbone, PopjaxrlBackbone
from popjax.spaces import Box, Discrete

KINDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(ActorCritic, Backbone, HeadInit, EquivariantActorCritic, EquivariantBackbone),
        *(PaperBackbone, PopjaxrlBackbone, Discrete, Box),
    )
}
FLAX = ("parent", "name")  # fields of every module that say nothing of its shape


def kind_of(thing: Any) -> str | None:
    """What the class of a part of a network is called; None if it is none."""
    for kinds in (KINDS, MEMORIES):
        if name := next((name for name, kind in kinds.items() if kind is type(thing)), None):
            return name
    if isinstance(thing, Memory):  # of the user's, and not registered
        return f"{type(thing).__module__}:{type(thing).__qualname__}"
    return None


def _is_own_default(thing: Any, field: dataclasses.Field) -> bool:
    """A class of the user's has its defaults itself: they may be functions."""
    ours = type(thing).__module__.startswith(("agents.", "popjax."))
    return not ours and getattr(thing, field.name) is field.default


def to_plain(thing: Any) -> Any:
    """JSON data for a network, a space, or any part of one.

    >>> to_plain(Discrete((2, 4)))
    {'kind': 'Discrete', 'sizes': [2, 4]}
    >>> from_plain(to_plain(MEMORIES["gru"](features=8))) == MEMORIES["gru"](features=8)
    True
    """
    if kind := kind_of(thing):
        fields = {
            f.name: to_plain(getattr(thing, f.name))
            for f in dataclasses.fields(thing)
            if f.name not in FLAX and not _is_own_default(thing, f)
        }
        return {"kind": kind, **fields}
    if isinstance(thing, tuple | list):
        return [to_plain(part) for part in thing]
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    raise TypeError(f"{type(thing).__name__} cannot be written as plain data")


def from_plain(plain: Any) -> Any:
    """What `to_plain` was given; a ValueError if it is of no kind that is known, which is an
    `agents.own_memory.UnknownMemoryError` if it can be a memory of the user's."""
    if isinstance(plain, dict):
        fields = {name: from_plain(value) for name, value in plain.items() if name != "kind"}
        kind = plain.get("kind")
        if not isinstance(kind, str):
            raise ValueError(f"there is no {kind!r}")
        return (KINDS[kind] if kind in KINDS else memory_class(kind))(**fields)
    return tuple(map(from_plain, plain)) if isinstance(plain, list) else plain
