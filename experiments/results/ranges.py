"""The ranges of numbers (`agents.ranges`) where a person writes them: options and settings."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from tyro.constructors import (
    ConstructorRegistry,
    PrimitiveConstructorSpec,
    StructConstructorSpec,
    StructFieldSpec,
    StructTypeInfo,
)

from agents.hyperparams import Hyperparams
from agents.ranges import Within, check_ranges, complaint, ranges_of, within_of
from experiments.results.errors import UserError

THOUSANDS = {"k": 10**3, "M": 10**6, "G": 10**9}


def check(settings: Any) -> None:
    """A UserError if a number of a dataclass is outside its range."""
    try:
        check_ranges(settings)
    except ValueError as error:
        raise UserError(str(error)) from None


def check_hyperparams(values: Mapping[str, float]) -> None:
    """A UserError if one of these hyper-parameters, which exist, is outside its range."""
    known = ranges_of(Hyperparams)
    for name, value in values.items():
        if said := complaint(name, value, *known[name]):
            raise UserError(said)


def hyperparams_in_words() -> str:
    """All hyper-parameters with their defaults and ranges, for a help text."""
    defaults = Hyperparams()
    known = ranges_of(Hyperparams).items()
    lines = (f"{k} {getattr(defaults, k)} ({within.words()})" for k, (_, within) in known)
    return "; ".join(lines)


def number(word: str, kind: type = float) -> float:
    """A number as a person writes it; ValueError if it is none, or not whole where it must be.

    >>> number("5M", int), number("1e6", int), number("1_000", int), number("inf")
    (5000000, 1000000, 1000, inf)
    """
    found = re.fullmatch(r"([^kMG]*)([kMG]?)", word)
    value = float(found[1]) if found else float(word)
    value *= THOUSANDS.get(found[2], 1)
    if kind is not int:
        return value
    if re.fullmatch(r"[+-]?[\d_]+", word):  # without the rounding of reals
        return int(word)
    if not value.is_integer():
        raise ValueError(word)
    return round(value)


ALSO = "Each is an option too, such as --lr 1e-3 or --gamma 0.9."
REGISTRY = ConstructorRegistry()
_asked: list[Any] = []  # the types whose own rule is being asked for


@REGISTRY.struct_rule
def with_ranges(info: StructTypeInfo) -> StructConstructorSpec | None:
    """Tyro's own reading of a dataclass, whose numbers are checked as they are read, and whose help
    tells their ranges."""
    if not dataclasses.is_dataclass(info.type) or info.type in _asked:
        return None
    _asked.append(info.type)
    try:
        spec = ConstructorRegistry.get_struct_spec(info)
    finally:
        _asked.remove(info.type)
    if not isinstance(spec, StructConstructorSpec):
        return spec
    return dataclasses.replace(spec, fields=tuple(map(_ranged, spec.fields)))


def _ranged(field: StructFieldSpec) -> StructFieldSpec:
    if field.name == "hyperparams":
        return dataclasses.replace(
            field, helptext=f"{_text(field)} {ALSO} {hyperparams_in_words()}."
        )
    found = within_of(field.type)
    if not found:
        return field
    words = found[1].words()
    kind = _read_by(field.type, *found)
    return dataclasses.replace(
        field, type=kind, helptext=f"{_text(field)} {words[0].upper()}{words[1:]}."
    )


def _text(field: StructFieldSpec) -> str:
    text = field.helptext() if callable(field.helptext) else field.helptext
    text = (text or "").strip()
    return text if text.endswith(".") else f"{text}."


def _read_by(annotation: Any, kind: type, within: Within) -> Any:
    """The same annotation, whose numbers are read by `number`."""
    if get_origin(annotation) is Annotated:
        base, *said = get_args(annotation)
        if any(isinstance(word, Within) for word in said):
            return Annotated[(base, *said, _constructor(kind, within, optional=False))]
        return Annotated[(_read_by(base, kind, within), *said)]
    if get_origin(annotation) is tuple:
        return Annotated[tuple[kind, ...], _several(_constructor(kind, within, optional=False))]
    if type(None) in get_args(annotation):
        return Annotated[Union[kind, None], _constructor(kind, within, optional=True)]  # noqa: UP007
    return annotation


def _constructor(kind: type, within: Within, optional: bool) -> PrimitiveConstructorSpec:
    thing = "a whole number" if kind is int else "a number"

    def read(words: list[str]) -> float | None:
        if optional and words[0] == "None":
            return None
        try:
            value = number(words[0], kind)
        except (ValueError, OverflowError):
            raise ValueError(f"takes {thing}, not {words[0]!r}") from None
        if value not in within:
            raise ValueError(f"takes {thing} {within.words()}, not {words[0]}")
        return value

    return PrimitiveConstructorSpec(
        nargs=1,
        metavar=kind.__name__.upper(),
        instance_from_str=read,
        is_instance=lambda value: (optional and value is None) or isinstance(value, int | float),
        str_from_instance=lambda value: [str(value)],
    )


def _several(one: PrimitiveConstructorSpec) -> PrimitiveConstructorSpec:
    """The same for any number of words."""
    return PrimitiveConstructorSpec(
        nargs="*",
        metavar=f"[{one.metavar} [{one.metavar} ...]]",
        instance_from_str=lambda words: tuple(one.instance_from_str([word]) for word in words),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: list(map(str, value)),
    )
