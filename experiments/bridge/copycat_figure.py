"""The copycat experiment as a figure: how right each policy is, step by step, in both loops."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bridge.copycat import CRITERION, RUNS, STOPS, TRAINED_ON
from experiments.bridge.copycat_report import Outcome
from experiments.bridge.drawing import DOTS, GREY, INK, furnish, write
from experiments.statistics import iqm

OWN = "#c2410c"
CHANCE = 1 / 4


def write_figure(outcomes: list[Outcome], folder: Path) -> list[Path]:
    """`copycat.png` and `copycat.svg`; nothing if no run came to the first stop."""
    shown = [o for o in outcomes if o.level == TRAINED_ON and o.stop == STOPS[0]]
    if not shown:
        return []
    return write(draw(shown), folder, "copycat", dpi=130)


def draw(outcomes: list[Outcome]) -> Figure:
    """One panel an outcome."""
    figure = Figure(figsize=(2.9 * len(outcomes) + 0.6, 3.4), layout="constrained")
    figure.suptitle(
        f"{TRAINED_ON}: each foretells {100 * CRITERION:.0f} % of an expert's actions",
        x=0.01,
        ha="left",
        fontsize=11,
        color=INK,
    )
    panels = figure.subplots(1, len(outcomes), sharex=True, sharey=True, squeeze=False)[0]
    for panel, outcome in zip(panels, outcomes, strict=True):
        draw_loops(panel, outcome)
    panels[0].set_ylabel("probability of the right action", color=INK, fontsize=9)
    label_lines(panels[0], outcomes[0])
    return figure


def draw_loops(panel: Axes, outcome: Outcome) -> None:
    """Seeds thin, their interquartile mean thick."""
    t = np.arange(1, outcome.open_right.shape[1] + 1)
    panel.axhline(CHANCE, **DOTS)
    panel.plot(t, outcome.closed_right.T, color=OWN, linewidth=0.6, alpha=0.35)
    panel.plot(t, iqm(outcome.open_right, axis=0), color=GREY, linewidth=4.0)
    panel.plot(t, iqm(outcome.closed_right, axis=0), color=OWN, linewidth=1.6)
    panel.plot(t, iqm(outcome.copier, axis=0), color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    panel.set_title(
        f"{RUNS[outcome.name].title}\nearns {iqm(outcome.returns):.2f} by itself",
        loc="left",
        fontsize=9.5,
        color=INK,
    )
    panel.set_xlabel("step of the episode", color=INK, fontsize=9)
    panel.set_ylim(0.15, 1.02)
    panel.set_xlim(1, len(t))
    panel.set_xticks([1, len(t)])
    panel.set_yticks([CHANCE, 0.5, 0.75, 1], ["chance", "0.5", "0.75", "1"])
    furnish(panel)


def label_lines(panel: Axes, outcome: Outcome) -> None:
    """Names at the lines, instead of a legend."""
    last = outcome.open_right.shape[1]
    under = outcome.closed_right[:, -1].min() - 0.03
    for name, colour, height in (
        ("the expert acts", GREY, outcome.open_right[:, -1].min() - 0.02),
        ("it acts itself", OWN, under),
        ("a copier with its errors", INK, under - 0.06),
    ):
        panel.text(last, height, name, color=colour, fontsize=8.5, ha="right", va="top")
