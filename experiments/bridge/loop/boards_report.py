"""Results of the boards of `popjax bridge loop`: two tables, and the outcome of each hypothesis."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bridge.findings import Finding, all_of, outcome_of
from experiments.bridge.loop.config import BOARD_WAYS, TUNED, LoopConfig
from experiments.bridge.loop.figures import draw_frontier
from experiments.bridge.loop.findings import rank_of_forgotten
from experiments.bridge.loop.panels import OWN, plot_loops
from experiments.bridge.loop.report import (
    SLIGHT,
    Tables,
    pick,
    stops,
    words_of,
)
from experiments.bridge.page import Grid
from experiments.reports.statistics import difference, format_iqm, interval, iqm
from experiments.reports.style import DOTS, GREY, INK, furnish
from experiments.results.store import Table

WHAT = (
    "On a board a wrong action changes the next observation, so a clone's own histories differ "
    "from its expert's. A loss shows accuracy on the expert's histories; an agent is judged by "
    "accuracy and return on its own. Actions as good as the expert's but different from it count "
    "as wrong, so agreement understates quality."
)
SHOWS = (
    "On each board, how right a clone and DAgger are by step, where the expert acts and where they "
    "do; returns against what was predicted; and return against forgotten nats as a model is tuned"
)


def end(table: Table, what: str) -> np.ndarray:
    """`[seeds]`, one measure of a condition at its end."""
    return pick(table, what, "end")[:, 0]


def excess_error(table: Table) -> np.ndarray:
    """`[seeds]` %ExAccErr: the divergence from the expert in the policy's own loop, over that in
    the expert's, a step; episodes of unequal lengths have no common last step to sum to."""
    return 100 * (end(table, "closed_nats") / end(table, "open_nats") - 1)


def board_table(tables: Tables, setup: LoopConfig) -> Grid:
    """Scripted players, then one row per training condition."""
    rows = []
    for board in setup.boards:
        known = tables[f"board {board}", "players"]
        for name in stops(known):
            earns = format_iqm(pick(known, "return", name)[:, 0])
            rows.append((f"{board}, {name} player", *[""] * 4, earns, ""))
        for way, one in BOARD_WAYS.items():
            table = tables[f"board {board}", way]
            rows.append((
                f"{board}, {one.title}",
                *(f"{100 * iqm(end(table, f'{loop}_mean')):.1f} %"
                  for loop in ("open", "closed", "strayed")),
                f"{iqm(excess_error(table)):.0f}",
                format_iqm(end(table, "return")),
                f"{iqm(end(table, 'expert_return')):.2f}",
            ))  # fmt: skip
    headings = ("board, who plays", "accuracy, expert's loop", "own loop",
                "after random actions", "%ExAccErr", "return [95 %]",
                "expert, same boards")  # fmt: skip
    return Grid("boards, where actions affect observations", headings, rows,
                "Interquartile means over seeds. After random actions: on histories of the expert "
                "in which half of the actions are random ones.")  # fmt: skip


def tuned_table(tables: Tables, setup: LoopConfig) -> Grid:
    """The final result of each KL penalty on each board."""
    rows = []
    for board in setup.boards:
        table = tables[f"board {board}", TUNED]
        for stop in stops(table):
            get = {name: pick(table, name, stop)[:, -1] for name in (
                "return", "kl", "forgotten", "impossible", "own_impossible")}  # fmt: skip
            rows.append((
                f"{board}, {stop}",
                format_iqm(get["return"]),
                f"{iqm(get['kl']):.3f}",
                format_iqm(get["forgotten"], 3),
                f"{100 * iqm(get['impossible']):.2f} %",
                f"{100 * iqm(get['own_impossible']):.2f} %",
            ))  # fmt: skip
    headings = ("board, tuned with", "return", "KL from the start, nats per step",
                "forgotten nats per token", "mass on impossible tokens, expert's boards",
                "own play")  # fmt: skip
    return Grid("tuning a model of mediocre play on boards", headings, rows,
                "Impossible: tokens that the game's exact distribution rules out.")  # fmt: skip


def findings(tables: Tables, setup: LoopConfig) -> list[Finding]:
    """Findings of the boards that were run."""
    if not setup.boards:
        return []
    return [h3a_boards(tables, setup), taught(tables, setup), h3d_forgetting(tables, setup)]


def h3a_boards(tables: Tables, setup: LoopConfig) -> Finding:
    """H3a on boards: the gap between expert's loop and own loop."""
    words, outcomes = [], []
    for board in setup.boards:
        table = tables[f"board {board}", "clone"]
        gap = end(table, "open_mean") - end(table, "closed_mean")
        outcomes.append(outcome_of(*interval([gap]), SLIGHT, np.inf))
        words.append(
            f"{board}: predicts {100 * iqm(end(table, 'open_mean')):.0f} %, gap "
            f"{format_iqm(gap, 3)}, earns {format_iqm(end(table, 'return'))} where its "
            f"expert earns {iqm(end(table, 'expert_return')):.2f}"
        )
    claim = (
        "on a board a clone agrees with its expert less in its own play than on the expert's "
        f"histories, by more than {SLIGHT}"
    )
    return Finding("H3a boards", claim, "; ".join(words), all_of(outcomes))


def taught(tables: Tables, setup: LoopConfig) -> Finding:
    """H3a' on boards: labels on the learner's own histories earn more than on the expert's."""
    words, outcomes = [], []
    for board in setup.boards:
        earned = {way: end(tables[f"board {board}", way], "return") for way in BOARD_WAYS}
        gap = difference(earned["dagger"], earned["clone"])
        outcomes.append(outcome_of(*gap[1:], 0.0, np.inf))
        others = ", ".join(
            f"{BOARD_WAYS[way].title} {format_iqm(earned[way])}" for way in BOARD_WAYS
        )
        words.append(f"{board}: {words_of(gap)} more; {others}")
    claim = "on a board labels on the learner's own histories earn more than on the expert's"
    return Finding("H3a' boards", claim, "; ".join(words), all_of(outcomes))


def h3d_forgetting(tables: Tables, setup: LoopConfig) -> Finding:
    """H3d on boards."""
    words, outcomes = [], []
    for board in setup.boards:
        found, low, high = rank_of_forgotten(tables[f"board {board}", TUNED])
        outcomes.append(outcome_of(low, high, 0.5, 1.0))
        words.append(f"{board}: {found}")
    claim = "tuned for reward, a model forgets a board's dynamics more the farther it moves (rank "
    claim += "correlation above 0.5 over KL penalties and seeds)"
    return Finding("H3d boards", claim, "; ".join(words), all_of(outcomes))


SHORT = {"clone": "R1", "any": "R1'", "dagger": "R2", "rewards": "R4", "group": "R7"}


def draw_boards(tables: Tables, setup: LoopConfig) -> Figure:
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
        line[3].set_xlabel("forgotten nats per token", fontsize=9, color=INK)
    return figure


def draw_loops(panel: Axes, table: Table, title: str) -> None:
    """One condition on one board."""
    plot_loops(panel, *(pick(table, f"{loop}_right", "end") for loop in ("open", "closed")))
    panel.set_ylim(0, 1.03)
    panel.set_title(f"{title}: earns {iqm(end(table, 'return')):.2f}", loc="left", fontsize=10,
                    color=INK)  # fmt: skip
    panel.set_xlabel("step, running episodes", fontsize=9, color=INK)
    panel.set_ylabel("probability of the expert's action", fontsize=9, color=INK)
    for i, (name, colour) in enumerate((("the expert acts", GREY), ("it acts itself", OWN))):
        panel.text(0.03, 0.14 - 0.09 * i, name, color=colour, fontsize=9, transform=panel.transAxes)
    furnish(panel)


def draw_returns(panel: Axes, tables: Tables, board: str) -> None:
    """Return against accuracy in the expert's loop; lines: scripted players."""
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
