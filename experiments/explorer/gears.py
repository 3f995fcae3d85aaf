"""The toggle, as data: each concept under its two names, and each family in one sentence a costume.

The table is `gears.toml`; `tests/experiments/explorer/test_gears.py` keeps it true: every module
imports, every test that a record names exists.
"""

from __future__ import annotations

import functools
import importlib
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

TABLE = Path(__file__).with_name("gears.toml")
HOLDS = ("exact", "analogy", "breaks")


@dataclass(frozen=True)
class Gear:
    """One concept of both costumes.

    id, concept: its names. rl, lm: what each costume calls it, in words; rl_symbol, lm_symbol: in
        symbols. formula: what both have in common, or where they part.
    module: where it lives in the code, a full dotted name.
    holds: whether the likeness is exact, an analogy, or breaks; caveat: what to mind.
    experiment: the command that shows it. test: `file::function` that holds it.

    >>> floor = next(gear for gear in gears() if gear.id == "floor")
    >>> floor.holds in HOLDS
    True
    """

    id: str
    concept: str
    rl: str
    lm: str
    rl_symbol: str
    lm_symbol: str
    formula: str
    module: str
    holds: Literal["exact", "analogy", "breaks"]
    caveat: str
    experiment: str
    test: str

    def __post_init__(self):
        empty = [field.name for field in fields(self) if not getattr(self, field.name)]
        if empty:
            raise ValueError(f"gear {self.id}: {', '.join(empty)} is empty")
        if self.holds not in HOLDS:
            raise ValueError(f"gear {self.id} holds {self.holds!r}, which is none of {HOLDS}")


@functools.cache
def _table() -> dict[str, Any]:
    return tomllib.loads(TABLE.read_text(encoding="utf-8"))


def gears() -> tuple[Gear, ...]:
    """All records, in order.

    >>> [gear.lm for gear in gears() if gear.id == "floor"]
    ['the entropy floor']
    """
    return tuple(Gear(**record) for record in _table()["gear"])


def sentences(family: str) -> dict[str, str]:
    """What a family asks, under "rl" and under "lm".

    >>> sentences("RepeatFirst")["lm"]
    'A question stated once at the top of the document, answered on every later line.'
    """
    return dict(_table()["family"][family])


def resolve(name: str) -> Any:
    """The module or the member of one that a full dotted name stands for; an AttributeError or
    ModuleNotFoundError if there is none.

    >>> resolve("popjax.registry.make").__name__
    'make'
    """
    module, _, member = name.rpartition(".")
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if not module or not f"{name}.".startswith(f"{error.name}."):
            raise  # what is missing is another module, which this one imports
        return getattr(resolve(module), member)
