"""The factorial as a figure: competence over tokens and over nats, a row for each target."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bridge.factorial.conditions import FEEDBACK, SUPERVISION_METRICS, TARGETS, Curves
from experiments.reports.style import DOTS, INK, few_powers, furnish

COLOURS = dict(zip(FEEDBACK, ("#1d4ed8", "#0f766e", "#c2410c"), strict=True))
TITLES = ("environment tokens read", "nats of feedback, as the learner expects")
NAMES = {"label": "label", "verdict": "verdict per step", "sum": "one sum per episode"}


def draw(curves: dict[tuple[str, str], Curves]) -> Figure:
    """Thin lines: seeds. Thick line: their mean."""
    figure = Figure(figsize=(9, 5.6), layout="constrained")
    panels = figure.subplots(2, 2, sharex="col", sharey=True)
    for row, target in zip(panels, TARGETS, strict=True):
        for panel, axis in zip(row, SUPERVISION_METRICS, strict=True):
            for feedback in FEEDBACK:
                draw_cell(panel, curves[target, feedback], axis, COLOURS[feedback])
            scale(panel)
        row[0].set_title(f"target: the {target}", loc="left", fontsize=10, color=INK)
        row[0].set_ylabel("competence", fontsize=9, color=INK)
    for panel, title in zip(panels[-1], TITLES, strict=True):
        panel.set_xlabel(title, fontsize=9, color=INK)
    for i, feedback in enumerate(FEEDBACK):
        words, colour, place = NAMES[feedback], COLOURS[feedback], panels[0, 0].transAxes
        panels[0, 0].text(0.02, 0.88 - 0.1 * i, words, color=colour, fontsize=9, transform=place)
    return figure


def draw_cell(panel: Axes, curve: Curves, axis: str, colour: str) -> None:
    x, y = curve[axis][:, 1:], curve["competence"][:, 1:]  # the first evaluation is at zero
    panel.plot(x.T, y.T, color=colour, linewidth=0.5, alpha=0.4)
    panel.plot(np.mean(x, axis=0), np.mean(y, axis=0), color=colour, linewidth=1.8)


def scale(panel: Axes) -> None:
    for height in (0, 1):
        panel.axhline(height, **DOTS)
    panel.set_xscale("log")
    few_powers(panel.xaxis)
    panel.set_ylim(-0.2, 1.05)
    panel.set_yticks([0, 0.5, 1], ["0  best without\nmemory", "0.5", "1  best of all"])
    furnish(panel)
