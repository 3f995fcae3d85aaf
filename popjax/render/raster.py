"""Scenes as arrays of pixels, PNG and GIF files, drawn by Pillow."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from popjax.render.scene import Scene
from popjax.render.shapes import Circle, Line, Polygon, Rect, Shape, Symbol, Text
from popjax.render.symbols import outlines

FINER = 3  # drawn this much larger, then averaged down


def rgb_array(scene: Scene, scale: float = 8.0) -> np.ndarray:
    """`[height, width, 3]` uint8, `scale` pixels a unit."""
    return np.asarray(image(scene, scale))


def gif(scenes: Iterable[Scene], path: str | Path, frames_a_second: float = 4.0) -> Path:
    """Writes an animation that repeats, and returns its path."""
    frames = [image(scene) for scene in scenes]
    if not frames:
        raise ValueError("an animation takes at least one scene")
    path = Path(path)
    milliseconds = round(1000 / frames_a_second)
    frames[0].save(
        path, format="GIF", save_all=True, append_images=frames[1:], duration=milliseconds, loop=0
    )
    return path


def image(scene: Scene, scale: float = 8.0) -> Image.Image:
    """The scene as a Pillow image."""
    fine = scale * FINER
    size = round(scene.width * scale), round(scene.height * scale)
    canvas = Image.new("RGB", (size[0] * FINER, size[1] * FINER), scene.background)
    pen = ImageDraw.Draw(canvas)
    for shape in scene.shapes:
        _draw(pen, shape, fine)
    return canvas.resize(size, Image.Resampling.BOX)


def _draw(pen: ImageDraw.ImageDraw, shape: Shape, scale: float) -> None:
    def pixels(points):
        return [(scale * x, scale * y) for x, y in points]

    def style():
        width = max(1, round(scale * shape.stroke_width)) if shape.stroke else 0
        return {"fill": shape.fill or None, "outline": shape.stroke or None, "width": width}

    match shape:
        case Rect(x=x, y=y, width=width, height=height):
            corners = pixels([(x, y), (x + width, y + height)])
            pen.rounded_rectangle(corners, scale * shape.round, **style())
        case Circle(x=x, y=y, radius=r):
            pen.ellipse(pixels([(x - r, y - r), (x + r, y + r)]), **style())
        case Polygon():
            pen.polygon(pixels(shape.points), fill=shape.fill)
        case Symbol():
            for outline in outlines(shape):
                pen.polygon(pixels(outline), fill=shape.fill)
        case Line():
            pen.line(pixels(shape.points), shape.stroke, round(scale * shape.width), "curve")
            for x, y in shape.points:
                r = shape.width / 2
                pen.ellipse(pixels([(x - r, y - r), (x + r, y + r)]), fill=shape.stroke)
        case Text():
            anchor = {"start": "ls", "middle": "ms", "end": "rs"}[shape.anchor]
            [place] = pixels([(shape.x, shape.y + 0.36 * shape.size)])
            font = _font(round(scale * shape.size), shape.bold)
            pen.text(place, shape.text, shape.fill, font, anchor)


@cache
def _font(pixels: int, bold: bool) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which comes with matplotlib."""
    spec = find_spec("matplotlib")
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    if spec and spec.origin:
        path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if path.exists():
            return ImageFont.truetype(str(path), pixels)
    return ImageFont.load_default(pixels)
