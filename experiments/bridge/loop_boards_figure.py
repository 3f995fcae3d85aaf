"""The boards of `popjax bridge loop` as a figure, one row each."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bridge.board_ways import BOARD_WAYS, TUNED
from experiments.bridge.drawing import DOTS, GREY, INK, furnish
from experiments.bridge.loop import Setup
from experiments.bridge.loop_boards_report import end
from experiments.bridge.loop_figure import OWN, draw_frontier
from experiments.bridge.loop_report import Tables, pick, stops
from experiments.results import Table
from experiments.statistics import iqm

SHORT = {"clone": "R1", "any": "R1'", "dagger": "R2", "rewards": "R4", "group": "R7"}


def draw_boards(tables: Tables, setup: Setup) -> Figure:
    """Both loops of the clone and of DAgger, returns, and the frontier."""
    rows = max(1, len(setup.boards))
    figure = Figure(figsize=(14, 3.2 * rows), layout="constrained")
    panels = figure.subplots(rows, 4, squeeze=False)
    for line, board in zip(panels, setup.boards, strict=False):
        for panel, way in zip(line, ("clone", "dagger"), strict=False):
            title = f"{board.removesuffix('Easy')}, {BOARD_WAYS[way].title}"
            draw_loops(panel, tables[f"board {board}", way], title)
        draw_returns(line[2], tables, board)
        draw_frontier(line[3], tables[f"board {board}", TUNED])
        line[3].set_xlabel("forgotten nats a token", fontsize=9, color=INK)
    return figure


def over_seeds(values: np.ndarray) -> np.ndarray:
    """`[T]` interquartile means; not a number where some seed has none."""
    return np.where(np.isnan(values).any(axis=0), np.nan, iqm(values, axis=0))


def draw_loops(panel: Axes, table: Table, title: str) -> None:
    """Seeds thin, their interquartile mean thick; grey, the expert acts."""
    opened, closed = (pick(table, f"{loop}_right", "end") for loop in ("open", "closed"))
    t = np.arange(1, opened.shape[1] + 1)
    panel.plot(t, closed.T, color=OWN, linewidth=0.6, alpha=0.35)
    panel.plot(t, over_seeds(opened), color=GREY, linewidth=4)
    panel.plot(t, over_seeds(closed), color=OWN, linewidth=1.8)
    panel.set_ylim(0, 1.03)
    panel.set_title(f"{title}: earns {iqm(end(table, 'return')):.2f}", loc="left", fontsize=10,
                    color=INK)  # fmt: skip
    panel.set_xlabel("step, while it goes on", fontsize=9, color=INK)
    panel.set_ylabel("probability of the expert's action", fontsize=9, color=INK)
    for i, (name, colour) in enumerate((("the expert acts", GREY), ("it acts itself", OWN))):
        panel.text(0.03, 0.14 - 0.09 * i, name, color=colour, fontsize=9, transform=panel.transAxes)
    furnish(panel)


def draw_returns(panel: Axes, tables: Tables, board: str) -> None:
    """What is earned against what is foretold of the expert; lines: scripted players."""
    players = tables[f"board {board}", "players"]
    for name in stops(players):
        level = iqm(pick(players, "return", name)[:, 0])
        panel.axhline(level, **DOTS)
        panel.text(1.02, level, name, color=GREY, fontsize=8, va="center",
                   transform=panel.get_yaxis_transform())  # fmt: skip
    for way, name in SHORT.items():
        table = tables[f"board {board}", way]
        x, y = end(table, "open_mean"), end(table, "return")
        panel.plot(x, y, ".", color=OWN, markersize=4, alpha=0.5)
        panel.plot(iqm(x), iqm(y), "D", color=OWN, markersize=5)
        panel.annotate(name, (iqm(x), iqm(y)), (6, 5), textcoords="offset points", fontsize=8,
                       color=OWN)  # fmt: skip
    panel.set_xlim(0, 1)
    panel.set_title("return in its own loop", loc="left", fontsize=10, color=INK)
    panel.set_xlabel("probability of the expert's action, expert's loop", fontsize=9, color=INK)
    furnish(panel)
