"""Outlines of the suits and of a mine, so that pictures need no font that has them."""

from __future__ import annotations

import math
from functools import cache

from popjax.render.shapes import Point, Symbol

Outline = tuple[Point, ...]

CHARACTERS = {"spade": "♠", "diamond": "♦", "club": "♣", "heart": "♥", "mine": "*"}
SUITS = ("spade", "diamond", "club", "heart")


def outlines(symbol: Symbol) -> tuple[Outline, ...]:
    """The polygons a symbol is made of, in the scene's coordinates."""
    return tuple(
        tuple((symbol.x + symbol.size * x, symbol.y + symbol.size * y) for x, y in outline)
        for outline in unit_outlines(symbol.name)
    )


@cache
def unit_outlines(name: str) -> tuple[Outline, ...]:
    """The polygons of a symbol that fills the square from -0.5 to 0.5."""
    stem = ((-0.03, 0.12), (0.03, 0.12), (0.07, 0.36), (0.19, 0.5), (-0.19, 0.5), (-0.07, 0.36))
    if name == "heart":
        return (_heart(0.0, 1.0),)
    if name == "spade":
        return _turned(_heart(0.06, 0.86)), stem
    if name == "diamond":
        return (_bowed(((0.0, -0.5), (0.4, 0.0), (0.0, 0.5), (-0.4, 0.0))),)
    if name == "club":
        return _disc(0, -0.27, 0.225), _disc(-0.25, 0.1, 0.225), _disc(0.25, 0.1, 0.225), stem
    if name == "mine":
        spikes = tuple(
            _disc(0.42 * math.cos(a), 0.42 * math.sin(a), 0.07)
            for a in (math.tau * i / 8 for i in range(8))
        )
        return _disc(0, 0, 0.34), *spikes
    raise ValueError(f"no symbol is called {name!r}")


def _heart(shift: float, scale: float) -> Outline:
    angles = [math.tau * i / 48 for i in range(48)]
    xs = [math.sin(a) ** 3 for a in angles]
    ys = [
        -(13 * math.cos(a) - 5 * math.cos(2 * a) - 2 * math.cos(3 * a) - math.cos(4 * a)) / 16
        for a in angles
    ]
    middle, half = (max(ys) + min(ys)) / 2, (max(ys) - min(ys)) / 2
    return tuple(
        (scale * x / 2, scale * (y - middle) / half / 2 + shift)
        for x, y in zip(xs, ys, strict=True)
    )


def _turned(outline: Outline) -> Outline:
    return tuple((x, -y) for x, y in outline)


def _disc(x: float, y: float, radius: float) -> Outline:
    angles = (math.tau * i / 32 for i in range(32))
    return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles)


def _bowed(corners: Outline) -> Outline:
    """Sides that bend a little inwards."""
    points = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        for i in range(8):
            t = i / 8
            inward = 1 - 0.24 * t * (1 - t)
            points.append(((x0 + t * (x1 - x0)) * inward, (y0 + t * (y1 - y0)) * inward))
    return tuple(points)
