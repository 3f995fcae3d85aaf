"""A table as data, which the terminal, Markdown and the page show each in its own way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Column:
    """A column of a sheet: words, or numbers with so many digits after the point.

    known: the figures are not this study's. wide: left out where there is little room.
    """

    name: str
    digits: int | None = None
    about: str = ""
    known: bool = False
    wide: bool = False


@dataclass(frozen=True)
class Spread:
    """A mean and the standard deviation over seeds, NaN for a single one. A seed without a number
    is left out, which the table must say."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        values = np.asarray(values, np.float64)
        values = values[np.isfinite(values)]
        deviation = np.std(values, ddof=1) if values.size > 1 else math.nan
        return cls(float(np.mean(values)) if values.size else math.nan, float(deviation))


@dataclass(frozen=True)
class Within:
    """An estimate and the two ends of its interval."""

    mean: float
    low: float
    high: float


Value = str | float | int | Spread | Within | None


@dataclass(frozen=True)
class Sheet:
    """A table: what its rows hold by the names of its columns, and what must be said of it."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Sequence[dict[str, Any]]
    caption: Sequence[str] = ()


def format_value(value: Value, digits: int | None) -> str:
    """As a reader sees it; nothing for nothing.

    >>> format_value(Spread(0.5, 0.01), 3), format_value(Within(0.5, 0.25, 0.75), 2)
    ('0.500 ± 0.010', '0.50 [0.25, 0.75]')
    >>> format_value(12345.0, 0)
    '12,345'
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Spread):
        spread = "" if math.isnan(value.deviation) else f" ± {value.deviation:.{digits}f}"
        return format_value(value.mean, digits) + spread
    if isinstance(value, Within):
        ends = ", ".join(format_value(end, digits) for end in (value.low, value.high))
        return f"{format_value(value.mean, digits)} [{ends}]"
    if value is None or math.isnan(value):
        return ""
    text = f"{value:,.{digits or 0}f}"
    return text.removeprefix("-") if float(text.replace(",", "")) == 0 else text


def number(value: Value) -> float | None:
    """What a column is sorted by; None for what is no number."""
    mean = value.mean if isinstance(value, Spread | Within) else value
    return None if mean is None or isinstance(mean, str) or math.isnan(mean) else float(mean)


def markdown(sheet: Sheet) -> str:
    """As a table of GitHub's Markdown, its caption after it."""
    lines = [f"**{sheet.title}**", ""]
    lines.append("| " + " | ".join(column.name for column in sheet.columns) + " |")
    rule = ["---" if column.digits is None else "---:" for column in sheet.columns]
    lines.append("|" + "|".join(rule) + "|")
    for row in sheet.rows:
        cells = (format_value(row.get(c.name), c.digits).replace("|", "\\|") for c in sheet.columns)
        lines.append("| " + " | ".join(cells) + " |")
    if sheet.caption:
        lines += ["", *(line + "  " for line in sheet.caption)]
    return "\n".join(lines).rstrip() + "\n"


def counted(number: int, one: str, many: str = "") -> str:
    """So many things.

    >>> counted(1, "cell"), counted(1200, "cell"), counted(2, "memory", "memories")
    ('1 cell', '1,200 cells', '2 memories')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def format_duration(seconds: float) -> str:
    """Seconds in the largest unit that fits.

    >>> [format_duration(seconds) for seconds in (30, 600, 7200, 500_000)]
    ['30 s', '10.0 min', '2.0 hours', '5.8 days']
    """
    for unit, size in (("days", 86400), ("hours", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
