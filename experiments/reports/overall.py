"""Figures of memories over all environments: aggregates, profiles, the map, the cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.reports import statistics
from experiments.reports.aggregates import REPETITIONS, Aggregate
from experiments.reports.curves import grouped
from experiments.reports.statistics import pooled
from experiments.reports.style import ABOVE, BELOW, COLOURS, DOTS, GREY, INK, furnish, new_figure
from experiments.results.study import Row, labels
from experiments.results.tables import Within

NUM_THRESHOLDS = 61
STAGES = {"compile": GREY, "train": ABOVE, "evaluate": COLOURS[5]}


def aggregates_figure(found: Sequence[Aggregate], colours: dict[str, str]) -> Figure:
    """Interquartile mean, optimality gap and probability of improvement, with intervals."""
    whos = [one.who for one in found]
    shown = [
        ("interquartile mean", [one.iqm for one in found], (0, 1)),
        ("optimality gap (less is better)", [one.gap for one in found], (0, 1)),
        (f"P({whos[0]} is better)", [one.better for one in found], (0.5,)),
    ]
    figure = new_figure(0.5 + 2.7 * len(shown), 0.9 + 0.24 * len(found))
    panels = figure.subplots(1, len(shown), sharey=True)
    for panel, (name, values, lines) in zip(panels, shown, strict=True):
        for height in lines:
            panel.axvline(height, **DOTS)
        _intervals(panel, values, [colours[who] for who in whos])
        panel.set_title(name, loc="left", fontsize=8.5)
        furnish(panel)
        panel.spines["left"].set_visible(False)
        panel.tick_params(axis="y", length=0)
    panels[2].set_xlim(0, 1.02)
    panels[0].set_yticks(range(len(whos)), whos)
    panels[0].set_ylim(len(whos) - 0.4, -0.6)
    return figure


def _intervals(panel: Axes, values: Sequence[Within | None], colours: Sequence[str]) -> None:
    for y, (value, colour) in enumerate(zip(values, colours, strict=True)):
        if value is not None:
            panel.plot([value.low, value.high], [y, y], color=colour, linewidth=5, alpha=0.3)
            panel.plot([value.mean], [y], "o", color=colour, markersize=4)


def profiles_figure(found: Sequence[Aggregate], colours: dict[str, str]) -> Figure:
    """The share of runs above each normalised return, with pointwise intervals."""
    figure = new_figure(6.2, 3.1)
    panel = figure.subplots()
    lowest = min(pooled(list(one.strata.values())).min() for one in found)
    thresholds = np.linspace(max(min(lowest, 0) - 0.05, -1), 1.05, NUM_THRESHOLDS)
    for one in reversed(found):
        runs, colour = list(one.strata.values()), colours[one.who]
        share = statistics.profile(pooled(runs), thresholds)
        if colour == GREY:  # one of many
            panel.plot(thresholds, share, color=colour, linewidth=0.7, alpha=0.5)
            continue
        low, high = statistics.profile_band(runs, thresholds, REPETITIONS // 2)
        panel.fill_between(thresholds, low, high, color=colour, alpha=0.14, linewidth=0)
        panel.plot(thresholds, share, color=colour, linewidth=1.6)
    for height in (0, 1):
        panel.axvline(height, **DOTS)
    for i, (who, colour) in enumerate(
        grouped({one.who: colours[one.who] for one in found}).items()
    ):
        place = {"xy": (1, 1), "xycoords": "axes fraction", "xytext": (6, -4 - 12.5 * i)}
        style = {"color": colour, "fontsize": 8.5, "va": "top"}
        panel.annotate(who, **place, textcoords="offset points", **style)
    panel.set_xlabel("normalised final return (0: random play, 1: reference player)")
    panel.set_ylabel("share of runs above")
    panel.set_xlim(thresholds[0], thresholds[-1])
    panel.set_ylim(0, 1.01)
    furnish(panel)
    return figure


def map_figure(found: Sequence[Aggregate], envs: Sequence[str]) -> Figure:
    """Mean normalised final return of each memory on each environment."""
    across, down = len(found), len(envs)
    figure = new_figure(2.3 + 0.47 * across, 0.75 + 0.21 * down)
    panel = figure.subplots()
    for x, one in enumerate(found):
        for y, env in enumerate(envs):
            if env in one.strata:
                _tile(panel, x, y, float(one.strata[env].mean()))
    panel.set_xlim(-0.5, across - 0.5)
    panel.set_ylim(down - 0.5, -0.5)
    slanted = {"rotation": 45, "ha": "left"} if max(len(o.who) for o in found) > 5 else {}
    panel.set_xticks(range(across), [one.who for one in found], **slanted)
    panel.set_yticks(range(down), envs)
    panel.xaxis.tick_top()
    panel.tick_params(length=0, labelsize=8, colors=INK)
    panel.spines[:].set_visible(False)
    return figure


def _tile(panel: Axes, x: int, y: int, value: float) -> None:
    strength = float(np.clip(abs(value), 0, 1))
    colour = ABOVE if value > 0 else BELOW
    panel.add_patch(
        Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, color=colour, alpha=strength, linewidth=0)
    )
    outline = {"fill": False, "edgecolor": GREY, "linewidth": 0.3, "alpha": 0.5}
    panel.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, **outline))
    text = f"{value:.2f}" if round(value, 2) else "0.00"
    ink = "#fefefe" if strength > 0.6 else INK
    panel.text(x, y, text, ha="center", va="center_baseline", fontsize=7.5, color=ink)


def cost_figure(rows: Sequence[Row], colours: dict[str, str]) -> Figure:
    """Mean seconds a cell of each memory: compilation, training, evaluation."""
    whos = [who for who in colours if who in set(labels(rows))]
    seconds = {who: [] for who in whos}
    for row, who in zip(rows, labels(rows), strict=True):
        kinds = ("compile_seconds", "train_seconds", "eval_seconds")
        seconds[who].append([row.summary[kind] for kind in kinds])
    figure = new_figure(6.2, 1.0 + 0.24 * len(whos))
    panel = figure.subplots()
    means = np.array([np.mean(seconds[who], axis=0) for who in whos])
    left = np.zeros(len(whos))
    for stage, column in zip(STAGES, means.T, strict=True):
        style = {"height": 0.55, "color": STAGES[stage], "alpha": 0.8, "label": stage}
        panel.barh(range(len(whos)), column, left=left, **style)
        left += column
    for y, total in enumerate(left):
        place = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        panel.annotate(f"{total:,.0f} s", (total, y), **place, fontsize=8)
    panel.set_yticks(range(len(whos)), whos)
    panel.set_ylim(len(whos) - 0.4, -0.6)
    panel.set_xlim(0, 1.12 * left.max())
    panel.set_xlabel("seconds a cell, mean over environments")
    figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=8)
    furnish(panel)
    panel.tick_params(axis="y", length=0)
    return figure
