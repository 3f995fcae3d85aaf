"""A search as a figure: all points as lines, and what each hyper-parameter does by itself."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import scipy  # its parts load when they are used
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.reports.style import DOTS, GREY, INK, furnish, write
from experiments.results.store import Table
from experiments.search.space import Range

BINS = 4


def bins_of(places: np.ndarray) -> np.ndarray:
    """Which quarter of the points each belongs to, by its place: `[n]` from 0 to 3."""
    return ((scipy.stats.rankdata(places, method="ordinal") - 1) * BINS // len(places)).astype(int)


def explained(places: np.ndarray, scores: np.ndarray) -> float:
    """The share of the variance of the scores' ranks that lies between the quarters of the places.

    Kelley's epsilon squared (1935), which is 0 in expectation where nothing is explained, so it
    may be below 0. Ranks, since a few runs that fail should not decide. What hyper-parameters do
    together is in none of the shares.

    >>> places = np.linspace(0, 1, 64)
    >>> round(explained(places, places**3), 2)
    0.93
    """
    ranks, bins = scipy.stats.rankdata(scores), bins_of(places)
    total = np.sum((ranks - ranks.mean()) ** 2)
    inside = sum(np.sum((ranks[bins == b] - ranks[bins == b].mean()) ** 2) for b in np.unique(bins))
    count, kinds = len(scores), len(np.unique(bins))
    if total == 0 or count <= kinds:
        return 0.0
    return float(1 - (inside / (count - kinds)) / (total / (count - 1)))


def by_chance(places: np.ndarray, scores: np.ndarray, repetitions: int = 400) -> float:
    """What 95 % of shuffled scores stay below."""
    generator = np.random.default_rng(0)
    shuffled = [explained(places, generator.permutation(scores)) for _ in range(repetitions)]
    return float(np.quantile(shuffled, 0.95))


OWN, PALE = "#c2410c", "#eab38f"


class Drawn(NamedTuple):
    """The points of the first rung.

    places: `[points, dimensions]` in the unit cube. scores: `[points]` means over seeds; what
    diverged is at the lowest. rung: `[points]` the last rung that each came to. base, winner:
    which is point 0, and which won.
    """

    places: np.ndarray
    scores: np.ndarray
    rung: np.ndarray
    base: int
    winner: int


def drawn(table: Table, space: dict[str, Range], winner: dict[str, float], group: str) -> Drawn:
    """What is drawn of `points.parquet`: the points of one group, the winner's."""
    names = list(space)
    values = np.stack([table[name] for name in names], axis=1)
    own = (table["group"] == group) & (table["rung"] >= 0)
    points, first, which = np.unique(
        values[own], axis=0, return_index=True, return_inverse=True
    )  # np.unique sorts; the order of proposal is kept below
    order = np.argsort(first)
    of_first_rung, scores = table["rung"][own] == 0, table["score"][own]
    means, rungs = np.empty(len(order)), np.empty(len(order), int)
    for place, i in enumerate(order):
        lines = which.ravel() == i
        means[place] = scores[lines & of_first_rung].mean()
        rungs[place] = table["rung"][own][lines].max()
    means = np.where(np.isfinite(means), means, np.nanmin(means))
    points = points[order]
    places = np.stack([space[n].unit(points[:, i]) for i, n in enumerate(names)], axis=1)
    won = np.flatnonzero((points == [winner[name] for name in names]).all(axis=1))
    return Drawn(places, means, rungs, base=0, winner=int(won[0]))


def write_figure(data: Drawn, space: dict[str, Range], title: str, folder: Path) -> list[Path]:
    """`search.png` and `search.svg`."""
    return write(draw(data, space, title), folder, "search", dpi=110)


def draw(data: Drawn, space: dict[str, Range], title: str) -> Figure:
    """Lines above, one panel a hyper-parameter below."""
    figure = Figure(figsize=(1.45 * len(space) + 1.4, 5.6), layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, color=INK)
    above, below = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    draw_lines(above.subplots(), data, space)
    panels = below.subplots(1, len(space), sharey=True, squeeze=False)[0]
    for i, (panel, name) in enumerate(zip(panels, space, strict=True)):
        draw_margin(panel, data.places[:, i], data, name, space[name])
    panels[0].set_ylabel("return", color=INK, fontsize=9)
    return figure


def draw_lines(panel: Axes, data: Drawn, space: dict[str, Range]) -> None:
    """Parallel coordinates: one line per point, the last axis its score in the first rung."""
    low, high = data.scores.min(), data.scores.max()
    height = (data.scores - low) / (high - low) if high > low else np.full(len(data.scores), 0.5)
    lines = np.column_stack([data.places, height])
    axes = np.arange(lines.shape[1])
    last = data.rung.max()
    for i in np.argsort(data.rung, kind="stable"):
        out = data.rung[i] == 0 or last == 0
        colour = GREY if out else OWN if data.rung[i] == last else PALE
        panel.plot(axes, lines[i], color=colour, linewidth=0.9, alpha=0.45 if out else 0.9)
    panel.plot(axes, lines[data.base], color=INK, linewidth=1.8, linestyle=(0, (3, 1.5)))
    panel.plot(axes, lines[data.winner], color=OWN, linewidth=3.0)
    for x in axes:
        panel.axvline(x, color=INK, linewidth=0.7, zorder=0)
    ends = [(f"{r.low:g}", f"{r.high:g}") for r in space.values()] + [(f"{low:.2f}", f"{high:.2f}")]
    for x, (bottom, top) in zip(axes, ends, strict=True):
        panel.text(x, -0.035, bottom, ha="center", va="top", fontsize=8, color=INK)
        panel.text(x, 1.035, top, ha="center", va="bottom", fontsize=8, color=INK)
    panel.set_xticks(axes, [*space, "return"], fontsize=9, color=INK)
    panel.tick_params(axis="x", length=0, pad=14)
    panel.set_yticks([])
    panel.set_ylim(0, 1)
    panel.set_xlim(-0.15, axes[-1] + 0.95)
    panel.spines[:].set_visible(False)
    _label_lines(panel, axes[-1] + 0.1, lines, data, last)


def _label_lines(panel: Axes, x: float, lines: np.ndarray, data: Drawn, last: int) -> None:
    """Names at the ends of the two lines that matter, and what the colours mean."""
    ends = {"the winner": (OWN, data.winner), "point 0": (INK, data.base)}
    heights = [lines[i, -1] for _, i in ends.values()]
    if abs(heights[0] - heights[1]) < 0.07:
        heights[1] = heights[0] - 0.07
    for (name, (colour, _)), y in zip(ends.items(), heights, strict=True):
        panel.text(x, y, name, color=colour, fontsize=8.5, va="center")
    if last:
        names = [("last rung", OWN), ("a rung between", PALE), ("first rung", GREY)]
        top = max((0.9, 0.55, 0.2), key=lambda y: min(abs(y - 0.08 - h) for h in heights))
        for i, (name, colour) in enumerate(names if last > 1 else names[::2]):
            panel.text(x, top - 0.08 * i, name, color=colour, fontsize=8.5, va="center")


def draw_margin(panel: Axes, places: np.ndarray, data: Drawn, name: str, own: Range) -> None:
    """The score of each point over one hyper-parameter, and the median of each quarter."""
    panel.scatter(places, data.scores, s=9, color=GREY, alpha=0.7, linewidth=0)
    bins = bins_of(places)
    for b in range(BINS):
        inside = bins == b
        if inside.any():
            ends = places[inside].min(), places[inside].max()
            panel.plot(ends, [np.median(data.scores[inside])] * 2, color=OWN, linewidth=2.4)
    panel.scatter(*(a[[data.base]] for a in (places, data.scores)), s=26, color=INK, zorder=3)
    share, chance = explained(places, data.scores), by_chance(places, data.scores)
    panel.set_title(
        f"{name}\nexplains {100 * max(share, 0):.0f} %\n(chance < {100 * chance:.0f} %)",
        loc="left",
        fontsize=8.5,
        color=OWN if share > chance else INK,
    )
    panel.axhline(data.scores[data.base], **DOTS)
    panel.set_xlim(-0.04, 1.04)
    middle = float(own.value(np.array(0.5)))
    panel.set_xticks([0, 0.5, 1], [f"{own.low:g}", f"{middle:.2g}", f"{own.high:g}"])
    furnish(panel)
    panel.tick_params(axis="x", labelsize=7)
