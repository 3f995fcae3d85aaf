"""Networks and spaces as plain data: what they are called and their fields."""

from __future__ import annotations

import dataclasses
from typing import Any

from agents.cells import EquivariantActorCritic, EquivariantBackbone
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone, HeadInit
from agents.published import PaperBackbone, PopjaxrlBackbone
from popjax.spaces import Box, Discrete

KINDS: dict[str, type] = MEMORIES | {
    kind.__name__: kind
    for kind in (
        *(ActorCritic, Backbone, HeadInit, EquivariantActorCritic, EquivariantBackbone),
        *(PaperBackbone, PopjaxrlBackbone, Discrete, Box),
    )
}
NAMES = {kind: name for name, kind in KINDS.items()}
FLAX = ("parent", "name")  # fields of every module that say nothing of its shape


def to_plain(thing: Any) -> Any:
    """JSON data for a network, a space, or any part of one.

    >>> to_plain(Discrete((2, 4)))
    {'kind': 'Discrete', 'sizes': [2, 4]}
    >>> from_plain(to_plain(MEMORIES["gru"](features=8))) == MEMORIES["gru"](features=8)
    True
    """
    if type(thing) in NAMES:
        fields = {
            f.name: to_plain(getattr(thing, f.name))
            for f in dataclasses.fields(thing)
            if f.name not in FLAX
        }
        return {"kind": NAMES[type(thing)], **fields}
    if isinstance(thing, tuple | list):
        return [to_plain(part) for part in thing]
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    raise TypeError(f"{type(thing).__name__} cannot be written as plain data")


def from_plain(plain: Any) -> Any:
    """What `to_plain` was given; a ValueError if it is of no kind that is known."""
    if isinstance(plain, dict):
        fields = {name: from_plain(value) for name, value in plain.items() if name != "kind"}
        if plain.get("kind") not in KINDS:
            raise ValueError(f"there is no {plain.get('kind')!r}")
        return KINDS[plain["kind"]](**fields)
    return tuple(map(from_plain, plain)) if isinstance(plain, list) else plain
