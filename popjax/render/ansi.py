"""Scenes as terminal text: two pixels a character, one above the other, with real letters on top.

A unit of a scene is a pixel here, so what is smaller than that may vanish.
"""

from __future__ import annotations

import numpy as np

from popjax.render.scene import Scene
from popjax.render.shapes import Circle, Line, Polygon, Rect, Shape, Symbol, Text
from popjax.render.symbols import CHARACTERS, outlines

DRAWN_FROM = 6.0  # a symbol of this size is drawn in pixels, a smaller one is a character
RESET = "\x1b[0m"

Letters = dict[tuple[int, int], tuple[str, str, int]]  # row, column: what, its colour, which half


def ansi(scene: Scene, colour: bool = True) -> str:
    """The scene as lines of text, in 24-bit colours, or in shades of characters; there a thing
    that has a title bears its first letter, since no colour tells it apart."""
    rows, columns = int(np.ceil(scene.height / 2)), int(np.ceil(scene.width))
    pixels = np.empty((2 * rows, columns, 3), np.uint8)
    pixels[:] = _rgb(scene.background)
    letters: Letters = {}
    for shape in scene.shapes:
        text = _written(shape)
        if text is None:
            inside, fill = _covered(shape, 2 * rows, columns)
            pixels[inside] = _rgb(fill)
            covered = inside[::2] & inside[1::2]
            letters = {place: letter for place, letter in letters.items() if not covered[place]}
            text = None if colour else _initial(shape, inside)
        if text is not None:
            letters |= _set_out(text, rows, columns)
    if colour:
        return "\n".join(_coloured_row(pixels, letters, row) for row in range(rows))
    return "\n".join(_plain_row(pixels, letters, row, scene.background) for row in range(rows))


def _written(shape: Shape) -> Text | None:
    """A shape that is written, not drawn."""
    if isinstance(shape, Text):
        return shape
    if isinstance(shape, Symbol) and shape.size < DRAWN_FROM:
        return Text(shape.x, shape.y, CHARACTERS[shape.name], shape.fill)
    return None


def _initial(shape: Shape, inside: np.ndarray) -> Text | None:
    """The first letter of what a filled shape is."""
    if not (shape.title and getattr(shape, "fill", "") and inside.any()):
        return None
    y, x = (int(places.mean()) + 0.5 for places in np.nonzero(inside))
    return Text(x, y, shape.title[0], shape.fill)


def _set_out(text: Text, rows: int, columns: int) -> Letters:
    """The letters that lie on the canvas, each in its place."""
    start = text.x - {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor] * len(text.text)
    row, first, half = int(text.y // 2), int(np.ceil(start - 0.5)), int(text.y) % 2
    return {
        (row, first + i): (letter, text.fill, half)
        for i, letter in enumerate(text.text)
        if 0 <= row < rows and 0 <= first + i < columns
    }


def _covered(shape: Shape, rows: int, columns: int) -> tuple[np.ndarray, str]:
    """The pixels whose middle lies in the shape, and their colour."""
    y, x = np.indices((rows, columns)) + 0.5
    match shape:
        case Rect():
            right, bottom = shape.x + shape.width, shape.y + shape.height
            inward = np.min([x - shape.x, right - x, y - shape.y, bottom - y], axis=0)
            if shape.stroke and not shape.fill:
                return (inward > 0) & (inward < 1), shape.stroke
            return inward > 0, shape.fill
        case Circle():
            inward = shape.radius - np.hypot(x - shape.x, y - shape.y)
            if shape.stroke and not shape.fill:
                return (inward > 0) & (inward < 1), shape.stroke
            return inward > 0, shape.fill
        case Polygon():
            return _in_polygon(x, y, shape.points), shape.fill
        case Symbol():
            parts = [_in_polygon(x, y, outline) for outline in outlines(shape)]
            return np.any(parts, axis=0), shape.fill
        case Line():
            ends = zip(shape.points, shape.points[1:], strict=False)
            reach = max(shape.width / 2, 0.51)
            parts = [_distance(x, y, start, end) < reach for start, end in ends]
            return np.any(parts, axis=0), shape.stroke
    raise TypeError(f"{shape} is no shape")


def _in_polygon(x, y, points) -> np.ndarray:
    """Even-odd rule."""
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(points, (*points[1:], points[0]), strict=True):
        if y0 != y1:
            crosses = ((y0 > y) != (y1 > y)) & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
            inside ^= crosses
    return inside


def _distance(x, y, start, end) -> np.ndarray:
    """To a segment."""
    (x0, y0), (x1, y1) = start, end
    length = max((x1 - x0) ** 2 + (y1 - y0) ** 2, 1e-9)
    along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length, 0, 1)
    return np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0))


def _coloured_row(pixels: np.ndarray, letters: Letters, row: int) -> str:
    parts, before = [], ""
    for column in range(pixels.shape[1]):
        upper, lower = pixels[2 * row, column], pixels[2 * row + 1, column]
        if (row, column) in letters:
            letter, fill, half = letters[row, column]
            front, back = _rgb(fill), (upper, lower)[half]
        else:
            letter, front, back = (
                ("▀", upper, lower) if (upper != lower).any() else (" ", "", upper)
            )
        code = f"\x1b[{_code(48, back)}{';' + _code(38, front) if len(front) else ''}m"
        parts.append(letter if code == before else code + letter)
        before = code
    return "".join(parts) + RESET


def _plain_row(pixels: np.ndarray, letters: Letters, row: int, background: str) -> str:
    """Letters, and shades by the distance from the background."""
    weights = np.array([0.3, 0.59, 0.11])
    distance = np.abs((pixels[2 * row : 2 * row + 2] - np.array(_rgb(background), float)) @ weights)
    shades = " ░▒▓█"
    level = np.minimum(np.ceil(distance.mean(axis=0) / 45).astype(int), 4) * (
        distance.mean(axis=0) > 4
    )
    row_letters = (letters.get((row, i), (shades[level[i]],))[0] for i in range(len(level)))
    return "".join(row_letters).rstrip()


def _code(kind: int, rgb) -> str:
    red, green, blue = (int(part) for part in rgb)
    return f"{kind};2;{red};{green};{blue}"


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
