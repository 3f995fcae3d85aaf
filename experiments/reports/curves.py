"""Learning curves: one panel an environment, seeds thin, their interquartile mean thick."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.reports.statistics import iqm
from experiments.reports.style import GREY, INK, apart, furnish
from experiments.results.study import Row, labels
from experiments.results.tables import Spread
from popjax import scores

BINS = 60
ACROSS = 4
LABELLED = 6  # more names do not fit beside a panel
MARKS = ("random", "memoryless", "reference")
LINES = {
    "random": (0, (1, 4)),
    "memoryless": (0, (1, 2)),
    "reference": (0, (5, 2)),
    "floor": (0, (1, 2)),
}


def curve(row: Row, metric: str, bins: int = BINS) -> tuple[np.ndarray, np.ndarray]:
    """Steps `[bins]` and means of a metric within them `[seeds, bins]`, NaN where there is none
    and once a seed has diverged. Returns are on the one scale (`popjax.scores.normalise`) where
    that is known."""
    own = [row.metrics["seed"] == seed for seed in row.spec.seeds]
    steps = row.metrics["step"][own[0]]
    groups = np.array_split(np.arange(len(steps)), min(bins, len(steps)))
    values = np.full((len(own), len(groups)), np.nan)
    for lane, chosen in enumerate(own):
        column = row.metrics[metric][chosen].astype(np.float64)
        if metric == "return" and on_scale(row):
            column = scores.normalise(row.spec.env, column)
        column[np.maximum.accumulate(row.metrics["diverged"][chosen])] = np.nan
        for i, group in enumerate(groups):
            known = column[group][np.isfinite(column[group])]
            if known.size:
                values[lane, i] = known.mean()
    return np.array([steps[group[-1]] for group in groups]), values


def on_scale(row: Row) -> bool:
    """Whether returns of its task can be normalised."""
    return bool(np.isfinite(scores.normalise(row.spec.env, 0.0)))


def joined(values: np.ndarray) -> np.ndarray:
    """`[seeds, bins]` with a straight line over the bins in which no episode ended; nothing before
    a seed's first value and after its last.

    >>> joined(np.array([[np.nan, 1.0, np.nan, 3.0, np.nan]])).tolist()
    [[nan, 1.0, 2.0, 3.0, nan]]
    """
    whole = np.full_like(values, np.nan)
    places = np.arange(values.shape[1])
    for lane, known in enumerate(np.isfinite(values)):
        if known.any():
            inside = (places >= places[known][0]) & (places <= places[known][-1])
            whole[lane, inside] = np.interp(places[inside], places[known], values[lane, known])
    return whole


def has_gaps(row: Row, metric: str) -> bool:
    """Whether a curve continues after bins without a value."""
    points = curve(row, metric)[1]
    return bool((np.isfinite(joined(points)) & ~np.isfinite(points)).any())


def middle(values: np.ndarray) -> np.ndarray:
    """The interquartile mean over the seeds of `[seeds, bins]` that have a value."""
    known = np.isfinite(values)
    pairs = zip(values.T, known.T, strict=True)
    return np.array([iqm(column[own]) if own.any() else np.nan for column, own in pairs])


def marks(row: Row, metric: str) -> dict[str, float]:
    """The heights that a panel shows beside the curves."""
    if metric == "return":
        known = scores.scores(row.spec.env)
        heights = {name: known[name]["mean"] for name in MARKS if name in known}
        if on_scale(row):
            return {k: float(scores.normalise(row.spec.env, v)) for k, v in heights.items()}
        return heights
    if metric == "nats" and row.tokens:
        floor = Spread.of(np.array([seed["floor"] for seed in row.tokens])).mean
        return {"floor": floor} if np.isfinite(floor) else {}  # diverged, or none is known
    return {}


def draw_panel(panel: Axes, rows: Sequence[Row], metric: str, colours: dict[str, str]) -> None:
    """The curves of one environment."""
    for name, height in marks(rows[0], metric).items():
        panel.axhline(height, color=GREY, linewidth=0.8, linestyle=LINES[name], zorder=0)
    ends, last = {}, 1
    for row, who in zip(rows, labels(rows), strict=True):
        steps, points = curve(row, metric)
        values = joined(points)
        colour, centre = colours[who], middle(values)
        if colour == GREY:  # one of many
            panel.plot(steps, centre, color=colour, linewidth=0.7, alpha=0.5, zorder=1)
        else:
            panel.plot(steps, values.T, color=colour, linewidth=0.5, alpha=0.35, zorder=2)
            if has_gaps(row, metric):  # where the line alone would say too much
                dots = {"marker": ".", "markersize": 2.5, "linestyle": "none", "alpha": 0.7}
                panel.plot(steps, points.T, color=colour, zorder=3, **dots)
            panel.plot(steps, centre, color=colour, linewidth=1.5, zorder=4)
        last = max(last, steps[-1])
        if np.isfinite(centre).any():
            ends[who] = centre[np.isfinite(centre)][-1]
    panel.set_title(rows[0].spec.env, loc="left", fontsize=8.5, color=INK)
    panel.set_xlim(0, last)
    panel.set_xticks([0, last], ["0", steps_words(last)])
    panel.get_xticklabels()[-1].set_horizontalalignment("right")
    panel.locator_params(axis="y", nbins=4)
    furnish(panel)
    panel.tick_params(labelsize=7.5)
    if len(ends) <= LABELLED:
        low, high = panel.get_ylim()
        places = apart(list(ends.values()), 0.105 * (high - low), low, high)
        for who, at in zip(ends, places, strict=True):
            place = {"xy": (last, at), "xytext": (4, 0), "textcoords": "offset points"}
            style = {"color": colours[who], "fontsize": 7.5, "va": "center"}
            panel.annotate(who, **place, **style, annotation_clip=False)


def grouped(colours: dict[str, str]) -> dict[str, str]:
    """Those in colours by name, and all grey ones as the others."""
    named = {who: colour for who, colour in colours.items() if colour != GREY}
    return named | ({"the others": GREY} if len(named) < len(colours) else {})


def panel_figure(rows: Sequence[Row], metric: str, colours: dict[str, str]) -> Figure:
    """One environment by itself."""
    figure = _grid(1, 1, 0)
    draw_panel(figure.subplots(), rows, metric, colours)
    return figure


def _grid(across: int, down: int, head: float) -> Figure:
    """A figure for panels of equal size, with `head` inches above them. Names beside the panels
    take no part in the layout, so that all axes are equally wide."""
    width, height = 2.9 * across, 1.85 * down + head
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left=0.4 / width,
        right=1 - 0.6 / width,
        bottom=0.28 / height,
        top=1 - (0.24 + head) / height,
        wspace=1.0 / 1.9,
        hspace=0.52 / 1.33,
    )
    return figure


def curves_figure(
    by_env: dict[str, list[Row]], metric: str, colours: dict[str, str], about: str
) -> Figure:
    """All environments side by side, under the names of the lines."""
    across = min(ACROSS, len(by_env))
    down = math.ceil(len(by_env) / across)
    figure = _grid(across, down, 0.55)
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for panel, rows in zip(panels, by_env.values(), strict=False):
        draw_panel(panel, rows, metric, colours)
    for panel in panels[len(by_env) :]:
        panel.set_axis_off()
    lines = grouped(colours).items()
    named = [(who, {"color": colour, "linewidth": 2}) for who, colour in lines]
    heights = marks(next(iter(by_env.values()))[0], metric)
    named += [(name, {"color": GREY, "linestyle": LINES[name]}) for name in heights]
    figure.legend(
        [Line2D([], [], **style) for _, style in named],
        [name for name, _ in named],
        loc="upper left",
        ncols=10,
        frameon=False,
        fontsize=8.5,
        title=about,
        alignment="left",
    )
    return figure


def steps_words(steps: float) -> str:
    """A number of steps in short.

    >>> steps_words(32_768), steps_words(1_474_560)
    ('33k', '1.5M')
    """
    return f"{steps / 1e6:.1f}M" if steps >= 1e6 else f"{steps / 1e3:.0f}k"
