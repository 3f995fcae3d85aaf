"""How the figures of a report look: on paper as files, and in a page that may be light or dark."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, LogFormatterSciNotation, NullFormatter

INK, GREY = "#222222", "#8a8a8a"
DOTS = {"color": GREY, "linewidth": 0.6, "linestyle": (0, (1, 2)), "zorder": 0}


def furnish(panel: Axes) -> None:
    """Two quiet axes."""
    panel.tick_params(length=2, labelsize=8, colors=INK)
    panel.tick_params(which="minor", length=0)
    panel.spines[["top", "right"]].set_visible(False)


def few_powers(axis: Axis) -> None:
    """Names few ticks of a log axis, so that they do not crowd; to be called once all is drawn.
    At most five powers of ten; 1, 2 and 5 times them where fewer than two are seen."""
    low, high = axis.get_view_interval()
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    seen = powers[(powers >= low) & (powers <= high)]
    if len(seen) < 2:
        between = np.outer(powers, (1, 2, 5)).ravel()
        seen = between[(between >= low) & (between <= high)]
    axis.set_major_locator(FixedLocator(seen[:: -(-len(seen) // 5) or 1]))
    axis.set_major_formatter(LogFormatterSciNotation(10, minor_thresholds=(np.inf, np.inf)))
    axis.set_minor_formatter(NullFormatter())


def write(figure: Figure, folder: Path, name: str, dpi: int) -> list[Path]:
    """As a picture and as lines."""
    FigureCanvasAgg(figure)
    paths = [folder / f"{name}.{kind}" for kind in ("png", "svg")]
    for path in paths:
        figure.savefig(path, dpi=dpi)
    return paths


COLOURS = (  # of the best memories, in order; the page has a second set for its dark side
    *("#2a6fb5", "#c2410c", "#2e8540", "#7a4fb0"),
    *("#8f6800", "#0f7b80", "#b4377f", "#5b6572"),
)
ABOVE, BELOW = "#1f5f9e", "#b4451f"  # above and below random play
VARIABLES = {INK: "ink", GREY: "quiet", ABOVE: "above", BELOW: "below"} | {
    colour: f"c{i}" for i, colour in enumerate(COLOURS)
}
STYLE = {
    "font.family": "sans-serif",
    "font.size": 8.5,
    "svg.fonttype": "none",  # text stays text
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.facecolor": "none",
    "axes.linewidth": 0.6,
}


def colour_of(whos: Sequence[str]) -> dict[str, str]:
    """A colour each, if there are enough of them; else those that come last are grey."""
    named = len(COLOURS) if len(whos) <= len(COLOURS) else len(COLOURS) - 1
    return {who: COLOURS[i] if i < named else GREY for i, who in enumerate(whos)}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def save(figure: Figure, folder: Path, name: str) -> str:
    """Writes a picture and lines, both on white; returns the lines without a ground."""
    lines = svg_of(figure, name)
    folder.mkdir(exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=160, facecolor="white")
    ground = '<rect width="100%" height="100%" fill="white"/>'
    on_white = re.sub(r"(<svg[^>]*>)", rf"\1{ground}", lines, count=1)
    (folder / f"{name}.svg").write_text(on_white)
    return lines


def svg_of(figure: Figure, name: str) -> str:
    """The figure as SVG, the same text every time."""
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the layout is settled, and costs much
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", facecolor="none", metadata={"Date": None})
    return file.getvalue()


def page_svg(svg: str, name: str, title: str) -> str:
    """Matplotlib's SVG made part of a page.

    >>> page_svg('<?xml?><svg width="9pt" viewBox="0 0 9 5"><g id="a"/></svg>', "f", "Map")
    '<svg role="img" aria-label="Map" style="max-width: 9pt" viewBox="0 0 9 5"><g id="f-a"/></svg>'
    """
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"\s*<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in VARIABLES.items():
        svg = re.sub(rf": {colour}\b", f": var(--{variable})", svg, flags=re.IGNORECASE)
    svg = re.sub(r"font: ([^;\"]*?)([\d.]+)px [^;\"]*", r"font-size: \2px", svg)
    svg = re.sub(r" ?font-family: [^;\"]*;?", "", svg)
    width = re.search(r'width="([\d.]+pt)"', svg).group(1)
    head, rest = svg.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head).group(0)
    label = title.replace("&", "and").replace('"', "'")
    opening = f'<svg role="img" aria-label="{label}" style="max-width: {width}" {box}>'
    return (opening + rest).strip()


def apart(heights: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """The same heights, moved as little as it takes to be at least `gap` apart, in their order, and
    between `low` and `high` if there is room.

    >>> apart([0.0, 0.0, 1.0], 0.5, -1.0, 2.0)
    [-0.25, 0.25, 1.0]
    >>> apart([0.0, 0.0], 0.5, 0.0, 2.0)
    [0.0, 0.5]
    """
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    blocks: list[list[float]] = []  # [sum of the wished-for places of the lowest, size]
    for rank, i in enumerate(order):
        wish = heights[i] - rank * gap
        blocks.append([wish, 1])
        while len(blocks) > 1 and blocks[-2][0] / blocks[-2][1] > blocks[-1][0] / blocks[-1][1]:
            total, size = blocks.pop()
            blocks[-1][0] += total
            blocks[-1][1] += size
    level = [total / size for total, size in blocks for _ in range(int(size))]
    placed = [0.0] * len(heights)
    for rank, i in enumerate(order):
        above = len(heights) - 1 - rank
        place = min(level[rank] + rank * gap, high - above * gap)
        placed[i] = max(place, low + rank * gap)
    return placed
