"""POPGym in pure JAX: small partially observable tasks, each step a jittable function."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from popjax import batch
    from popjax.cards import Deck
    from popjax.core import Environment, TimeStep
    from popjax.registry import ENVS, FAMILIES, make, register
    from popjax.spaces import Box, Discrete

__all__ = [
    "ENVS",
    "FAMILIES",
    "Box",
    "Deck",
    "Discrete",
    "Environment",
    "TimeStep",
    "batch",
    "make",
    "register",
]

HOMES = {
    "Deck": "cards",
    "Environment": "core",
    "TimeStep": "core",
    "ENVS": "registry",
    "FAMILIES": "registry",
    "make": "registry",
    "register": "registry",
    "Box": "spaces",
    "Discrete": "spaces",
}


def __getattr__(name: str) -> Any:
    """Imports lazily: JAX takes a second and is not needed for everything."""
    if name in HOMES:
        value = getattr(importlib.import_module(f"popjax.{HOMES[name]}"), name)
    elif name in ("batch", "core", "registry", "spaces"):
        value = importlib.import_module(f"popjax.{name}")
    else:
        raise AttributeError(f"module 'popjax' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
