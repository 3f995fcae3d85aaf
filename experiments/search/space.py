"""Where a search looks: a range for each traced hyper-parameter, and choices for what is static."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from experiments.results.errors import UserError
from experiments.results.spec import Settings
from experiments.train.settings.tuned import PARTS, check_choice
from popjax.words import nearest

Point = dict[str, float]


@dataclass(frozen=True)
class Range:
    """From `low` to `high`, evenly on a scale; "rest" is the logarithm of 1 - value, on which
    0.9, 0.99 and 0.999 are equally far apart.

    >>> SPACE["gamma"].value(np.array([0.0, 0.5, 1.0]))
    array([0.    , 0.9684, 0.999 ])
    """

    low: float
    high: float
    scale: Literal["linear", "log", "rest"] = "log"

    def _ends(self) -> tuple[float, float]:
        if self.scale == "rest":
            return -np.log(1 - self.low), -np.log(1 - self.high)
        return (
            (np.log(self.low), np.log(self.high)) if self.scale == "log" else (self.low, self.high)
        )

    def value(self, unit: np.ndarray) -> np.ndarray:
        """Of places in [0, 1], to three digits: a person can read and copy them."""
        low, high = self._ends()
        place = low + (high - low) * np.asarray(unit, float)
        if self.scale == "rest":
            return np.round(1 - _three_digits(np.exp(-place)), 9)
        return _three_digits(np.exp(place) if self.scale == "log" else place)

    def unit(self, value: np.ndarray) -> np.ndarray:
        """The places of values; what is outside the range is at its nearer end."""
        low, high = self._ends()
        value = np.clip(np.asarray(value, float), self.low, self.high)
        if self.scale == "rest":
            value = -np.log(1 - value)
        elif self.scale == "log":
            value = np.log(value)
        return (value - low) / (high - low)


def _three_digits(values: np.ndarray) -> np.ndarray:
    return np.array([float(f"{v:.3g}") for v in np.ravel(values)]).reshape(np.shape(values))


SPACE: dict[str, Range] = {
    "learning_rate": Range(1e-4, 1e-2),
    "gamma": Range(0.0, 0.999, "rest"),
    "gae_lambda": Range(0.5, 1.0, "linear"),
    "clip": Range(0.05, 0.5),
    "entropy": Range(1e-4, 0.1),
    "value": Range(0.1, 2.0),
    "max_grad_norm": Range(0.1, 10.0),
}


def space_of(names: Sequence[str]) -> dict[str, Range]:
    """The ranges of these hyper-parameters; all of them if none is named."""
    for name in names:
        if name not in SPACE:
            raise UserError(nearest(name, SPACE, "range to search"))
    return {name: SPACE[name] for name in names or SPACE}


def point_at(space: dict[str, Range], unit: np.ndarray) -> Point:
    """The point at a place `[dimensions]` of the unit cube."""
    return {name: float(space[name].value(u)) for name, u in zip(space, unit, strict=True)}


def groups_of(settings: Settings, vary: Sequence[str]) -> dict[str, Settings]:
    """The settings of each program, by a label: all combinations of `name=value,value` words.

    Static settings are shapes or change the code, so each combination is compiled for itself. The
    first is the given settings' own combination where it is among them.

    >>> list(groups_of(Settings(), ["features=64,128"]))
    ['features=128', 'features=64']
    """
    choices = [_choices(word) for word in vary]
    groups = {}
    for chosen in itertools.product(*choices):
        group = settings
        for part, name, value in chosen:
            group = _with(group, part, name, value)
        groups[",".join(f"{name}={value}" for _, name, value in chosen) or "all"] = group
    return dict(sorted(groups.items(), key=lambda item: item[1] != settings))


def _choices(word: str) -> list[tuple[str, str, object]]:
    kinds = {
        f.name: (part, getattr(kind(), f.name))
        for part, kind in PARTS.items()
        for f in dataclasses.fields(kind)
    }
    name, _, values = word.partition("=")
    whole, _, option = name.partition(".")
    if whole not in kinds or (option and whole != "options"):
        raise UserError(nearest(name, kinds, "static setting"))
    part, default = ("network", 0) if option else kinds[name]
    choices = []
    for text in filter(None, values.split(",")):
        try:
            value = _read_as(type(default), text)
        except ValueError:
            raise UserError(f"{name} cannot be {text!r}: it is {default!r} by default") from None
        if not option:
            check_choice(part, name, value)
        choices.append((part, name, value))
    if not choices:
        raise UserError(f"give the values of {name}, such as {name}={default}")
    return choices


def _with(group: Settings, part: str, name: str, value: object) -> Settings:
    """The settings with one static setting changed; `options.size` is one of the memory's own."""
    old = getattr(group, part)
    whole, _, option = name.partition(".")
    if option:
        value = old.options | {option: value}
    try:
        return dataclasses.replace(group, **{part: dataclasses.replace(old, **{whole: value})})
    except ValueError as error:
        raise UserError(f"{name}={value}: {error}") from None


def _read_as(kind: type, text: str) -> object:
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return kind(text)
