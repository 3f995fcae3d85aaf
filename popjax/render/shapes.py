"""What a picture is made of, as plain data.

One unit of length is one column of a terminal, and half a row. x grows to the right and y
downwards. Shapes later in the list lie above earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]


@dataclass(frozen=True)
class Rect:
    """A rectangle by its upper left corner, with rounded corners."""

    x: float
    y: float
    width: float
    height: float
    fill: str = ""
    stroke: str = ""
    stroke_width: float = 0.25
    round: float = 0.0
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Circle:
    """A circle by its middle."""

    x: float
    y: float
    radius: float
    fill: str = ""
    stroke: str = ""
    stroke_width: float = 0.25
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Polygon:
    """A filled outline."""

    points: tuple[Point, ...]
    fill: str
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Line:
    """A line through points, with round ends."""

    points: tuple[Point, ...]
    stroke: str
    width: float = 0.4
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Text:
    """One line of text by the middle of its height. A size below 2 fits a row of a terminal."""

    x: float
    y: float
    text: str
    fill: str
    size: float = 1.8
    anchor: Literal["start", "middle", "end"] = "middle"
    bold: bool = False
    title: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Symbol:
    """A spade, diamond, club, heart or mine by its middle; `popjax.render.symbols` has outlines."""

    name: str
    x: float
    y: float
    size: float
    fill: str
    title: str = ""
    hidden: bool = False


Shape = Rect | Circle | Polygon | Line | Text | Symbol
