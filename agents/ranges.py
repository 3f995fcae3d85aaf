"""Which values a number may have, written beside the field that holds it."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints

SEEDS = 2**32 - 1  # the largest seed of a random number generator here
MANY = 2**20  # of what stands side by side in one program


@dataclasses.dataclass(frozen=True)
class Within:
    """From `low` to `high`, both included unless it is `above` the one or `below` the other.

    infinite: infinity stands for "no bound", beside the range. Not-a-number is never in it.

    >>> share = Within(0, 1, below=True)
    >>> 0 in share, 1 in share, math.nan in share, share.words()
    (True, False, False, 'from 0, below 1')
    >>> Within(0, 10, above=True, infinite=True).words()
    'above 0, up to 10, or inf'
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    infinite: bool = False

    def __contains__(self, value: float) -> bool:
        if value == math.inf:
            return self.infinite
        low = value > self.low if self.above else value >= self.low
        return low and (value < self.high if self.below else value <= self.high)

    def words(self) -> str:
        """The range as a person writes it."""
        low, high = plain(self.low), plain(self.high)
        if not self.above and not self.below:
            text = f"from {low} to {high}"
        else:
            first = f"above {low}" if self.above else f"from {low}"
            text = f"{first}, {'below' if self.below else 'up to'} {high}"
        return text + (", or inf" if self.infinite else "")


Share = Annotated[float, Within(0, 1)]
Count = Annotated[int, Within(1, MANY)]
Seed = Annotated[int, Within(0, SEEDS)]


def plain(number: float) -> str:
    """A number without needless digits.

    >>> plain(65_536), plain(0.5), plain(1e13)
    ('65,536', '0.5', '1e13')
    """
    if number >= 1e10:
        return f"{number:.0e}".replace("+", "")
    return f"{int(number):,}" if number == int(number) else str(number)


def within_of(kind: Any) -> tuple[type, Within] | None:
    """The type and range that an annotation gives each of its numbers, also inside `X | None` and
    `tuple[X, ...]`; None if it gives none.

    >>> within_of(Annotated[int, Within(1, 3)] | None)
    (<class 'int'>, Within(low=1, high=3, above=False, below=False, infinite=False))
    """
    if get_origin(kind) is Annotated:
        base, *said = get_args(kind)
        own = next((word for word in said if isinstance(word, Within)), None)
        return (base, own) if own else within_of(base)
    return next(filter(None, map(within_of, get_args(kind))), None)


@lru_cache
def ranges_of(kind: type) -> dict[str, tuple[type, Within]]:
    """Type and range of every number among the fields of a dataclass, by its name."""
    hints = get_type_hints(kind, include_extras=True)
    found = {field.name: within_of(hints[field.name]) for field in dataclasses.fields(kind)}
    return {name: both for name, both in found.items() if both}


def complaint(name: str, value: Any, kind: type, within: Within) -> str | None:
    """What is wrong with a value in one line; None if nothing is.

    >>> complaint("seeds", 0, int, Within(1, 9))
    'seeds must be a whole number from 1 to 9, not 0'
    """
    number = isinstance(value, int | float) or hasattr(value, "__float__")
    whole = kind is not int or (number and float(value).is_integer())
    if number and whole and value in within:
        return None
    thing = "a whole number" if kind is int else "a number"
    return f"{name} must be {thing} {within.words()}, not {value}"


def check_ranges(settings: Any) -> None:
    """Raises ValueError if a number of a dataclass is outside its range; None is allowed."""
    for name, (kind, within) in ranges_of(type(settings)).items():
        for value in _values(getattr(settings, name)):
            if said := complaint(name, value, kind, within):
                raise ValueError(said)


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, tuple):
        yield from value
    elif value is not None:
        yield value
