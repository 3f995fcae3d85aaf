"""The range of each field of an environment, checked where the environment is made.

A field outside its range would not fail by itself: a deck of a million cards is dealt by a wrong
law, and a board on which the fleet does not fit lacks ship cells. So `__post_init__` of every
family names the range of each field once, and these functions raise one ValueError that states it.
"""

from __future__ import annotations

import math
import numbers
import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

MOST_ROWS = 26  # of a board: they are named a to z
MOST_STEPS = 1_000_000  # rewards are shares of 1 in float32: the sum of more would drift from 1


def whole(owner: Any, field: str, low: int, high: int, where: str = "", even: bool = False) -> None:
    """`owner.field` is a whole number from `low` to `high`, and is kept as an int.

    where: on what the range depends, if it does. even: odd ones are refused too.

    >>> import popjax
    >>> popjax.make("RepeatPreviousEasy", k=52)
    Traceback (most recent call last):
    ...
    ValueError: RepeatPrevious: k is a whole number from 1 to 51 with 52 cards, not 52
    """
    value = getattr(owner, field)
    if not is_whole(value, low, high) or (even and value % 2):
        span = f"{'even and' if even else 'a whole number'} from {low} to {high}"
        raise ValueError(
            f"{_label(owner, field)} is {span}{where and f' {where}'}, not {_shown(value)}"
        )
    _set(owner, field, operator.index(value))


def is_whole(value: Any, low: int, high: float) -> bool:
    """A whole number from `low` to `high`; True and 1.0 are none."""
    fits = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    return fits and low <= value <= high


def whole_number(value: Any, name: str, low: int) -> int:
    """The value as an int, if it is a whole number of `low` or more.

    >>> whole_number(0, "num_envs", 1)
    Traceback (most recent call last):
    ...
    ValueError: num_envs is a whole number of 1 or more, not 0
    """
    if not is_whole(value, low, math.inf):
        raise ValueError(f"{name} is a whole number of {low} or more, not {_shown(value)}")
    return operator.index(value)


def wholes(owner: Any, field: str, low: int, high: int) -> None:
    """`owner.field` is one whole number or more, each from `low` to `high`, and is kept as a
    tuple."""
    values = getattr(owner, field)
    listed = isinstance(values, tuple | list) and len(values) > 0
    if not listed or not all(is_whole(value, low, high) for value in values):
        span = f"whole numbers from {low} to {high}, one or more"
        raise ValueError(f"{_label(owner, field)} are {span}, not {_shown(values)}")
    _set(owner, field, tuple(map(operator.index, values)))


def real(owner: Any, field: str, low: float, high: float) -> None:
    """`owner.field` is a finite real number from `low` to `high`, and is kept as a float."""
    value = getattr(owner, field)
    fits = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not fits or not (low <= value <= high and math.isfinite(value)):
        span = f"from {low:g} to {high:g}"
        raise ValueError(f"{_label(owner, field)} is a number {span}, not {_shown(value)}")
    _set(owner, field, float(value))


def flag(owner: Any, field: str) -> None:
    """`owner.field` is True or False."""
    value = getattr(owner, field)
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{_label(owner, field)} is True or False, not {_shown(value)}")
    _set(owner, field, bool(value))


def one_of(owner: Any, field: str, words: Iterable[str]) -> None:
    """`owner.field` is one of the words."""
    value, words = getattr(owner, field), list(words)
    if not isinstance(value, str) or value not in words:
        choice = ", ".join(map(repr, words[:-1])) + f" or {words[-1]!r}"
        raise ValueError(f"{_label(owner, field)} is {choice}, not {_shown(value)}")


def instance(owner: Any, field: str, kind: type, example: str) -> None:
    """`owner.field` is of that class."""
    value = getattr(owner, field)
    if not isinstance(value, kind):
        raise ValueError(f"{_label(owner, field)} is a {example}, not {_shown(value)}")


def check(owner: Any, field: str, fits: bool, rule: str) -> None:
    """`owner.field` obeys a rule, which its range does not say."""
    if not fits:
        raise ValueError(f"{_label(owner, field)} {rule}, not {_shown(getattr(owner, field))}")


def _set(owner: Any, field: str, value: Any) -> None:
    object.__setattr__(owner, field, value)  # the dataclass is frozen


def _label(owner: Any, field: str) -> str:
    return f"{owner.name}: {field}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:40] + "..."
