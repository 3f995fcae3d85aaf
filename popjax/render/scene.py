"""A picture as plain data, a short list of shapes on a canvas, and as SVG."""

from __future__ import annotations

from dataclasses import dataclass, replace
from xml.sax.saxutils import escape, quoteattr

from popjax.render.shapes import Circle, Line, Polygon, Rect, Shape, Symbol, Text
from popjax.render.symbols import outlines

FONT = "'DejaVu Sans', Verdana, 'Segoe UI', system-ui, sans-serif"


@dataclass(frozen=True)
class Scene:
    """Shapes on a canvas. Those that show what the agent does not see are marked `hidden`.

    >>> scene = Scene(8, 2, "two", (Text(1, 1, "seen", "#000"), Text(5, 1, "not", "#000",
    ...     hidden=True)))
    >>> [shape.text for shape in scene.shown(reveal=False).shapes]
    ['seen']
    >>> scene
    Scene('two', 8 x 2, 2 shapes)
    """

    width: float
    height: float
    title: str
    shapes: tuple[Shape, ...]
    background: str = "#ffffff"

    def shown(self, reveal: bool) -> Scene:
        """All of the scene, or what is not hidden."""
        kept = tuple(shape for shape in self.shapes if reveal or not shape.hidden)
        return replace(self, shapes=kept)

    def __repr__(self) -> str:
        size = f"{_number(self.width)} x {_number(self.height)}"
        return f"Scene({self.title!r}, {size}, {len(self.shapes)} shapes)"

    def _repr_svg_(self) -> str:
        """For notebooks."""
        return svg(self)


def svg(scene: Scene, scale: float = 8.0) -> str:
    """The scene as an SVG document, `scale` pixels a unit.

    >>> import jax, popjax
    >>> env = popjax.make("RepeatFirstEasy")
    >>> svg(env.render(*env.reset(jax.random.key(0))))[:4]
    '<svg'
    """
    size = f'width="{_number(scene.width * scale)}" height="{_number(scene.height * scale)}"'
    box = f'viewBox="0 0 {_number(scene.width)} {_number(scene.height)}"'
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {box} role="img" font-family="{FONT}">',
        f"<title>{escape(scene.title)}</title>",
        f'<rect width="100%" height="100%" rx="1.2" fill="{scene.background}"/>',
        *(_element(shape) for shape in scene.shapes),
        "</svg>",
    ]
    return "\n".join(lines)


def _element(shape: Shape) -> str:
    match shape:
        case Rect():
            corner = _attributes(x=shape.x, y=shape.y, width=shape.width, height=shape.height)
            name, attributes = "rect", f"{corner} {_attributes(rx=shape.round)} {_paint(shape)}"
        case Circle():
            place = _attributes(cx=shape.x, cy=shape.y, r=shape.radius)
            name, attributes = "circle", f"{place} {_paint(shape)}"
        case Polygon():
            name, attributes = "path", f'd="{_path(shape.points)}Z" fill="{shape.fill}"'
        case Symbol():
            path = "".join(f"{_path(outline)}Z" for outline in outlines(shape))
            name, attributes = "path", f'd="{path}" fill="{shape.fill}"'
        case Line():
            stroke = f'stroke="{shape.stroke}" stroke-width="{_number(shape.width)}"'
            ends = 'fill="none" stroke-linecap="round" stroke-linejoin="round"'
            name, attributes = "path", f'd="{_path(shape.points)}" {stroke} {ends}'
        case Text():
            return _text(shape)
    return f"<{name} {attributes}{_content(name, shape, '')}"


def _text(shape: Text) -> str:
    place = _attributes(x=shape.x, y=shape.y + 0.36 * shape.size)
    style = f'font-size="{_number(shape.size)}" fill="{shape.fill}" text-anchor="{shape.anchor}"'
    weight = ' font-weight="bold"' if shape.bold else ""
    return f"<text {place} {style}{weight}{_content('text', shape, escape(shape.text))}"


def _content(name: str, shape: Shape, text: str) -> str:
    """The rest of an element, from its attributes on."""
    hidden = ' data-hidden="true"' if shape.hidden else ""
    title = f"<title>{escape(shape.title)}</title>" if shape.title else ""
    inside = title + text
    return f"{hidden}>{inside}</{name}>" if inside else f"{hidden}/>"


def _paint(shape: Rect | Circle) -> str:
    stroke = f' stroke="{shape.stroke}" stroke-width="{_number(shape.stroke_width)}"'
    return f"fill={quoteattr(shape.fill or 'none')}{stroke if shape.stroke else ''}"


def _path(points) -> str:
    return "M" + "L".join(f"{_number(x)} {_number(y)}" for x, y in points)


def _attributes(**values: float) -> str:
    return " ".join(f'{name}="{_number(value)}"' for name, value in values.items())


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
