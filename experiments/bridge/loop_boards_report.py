"""What the boards of `popjax bridge loop` say: two tables, and what became of each hypothesis."""

from __future__ import annotations

import numpy as np

from experiments.bridge.board_ways import BOARD_WAYS, TUNED
from experiments.bridge.loop import Setup
from experiments.bridge.loop_findings import rank_of_forgotten
from experiments.bridge.loop_report import (
    SLIGHT,
    Tables,
    difference,
    pick,
    stops,
    with_interval,
    words_of,
)
from experiments.bridge.page import Finding, Grid, outcome_of
from experiments.bridge.verdict_findings import all_of
from experiments.results import Table
from experiments.statistics import interval, iqm

WHAT = (
    "On a board a slip changes what is seen next, so the histories of a clone's own play are not "
    "its expert's. How right it is on the expert's histories is what a loss shows; how right it is "
    "on its own, and what it earns there, is what an agent is asked for. Where several actions are "
    "as good as the expert's they count as wrong, so agreement is less than merit."
)
SHOWS = (
    "On each board, how right a clone and DAgger are by step, where the expert acts and where they "
    "do; returns against what was foretold; and return against forgotten nats as a model is tuned"
)


def end(table: Table, what: str) -> np.ndarray:
    """`[seeds]`, one number of a way at its end."""
    return pick(table, what, "end")[:, 0]


def excess_error(table: Table) -> np.ndarray:
    """`[seeds]` %ExAccErr: the divergence from the expert in the policy's own loop, over that in
    the expert's, a step; episodes of unequal lengths have no common last step to sum to."""
    return 100 * (end(table, "closed_nats") / end(table, "open_nats") - 1)


def board_table(tables: Tables, setup: Setup) -> Grid:
    """Scripted players, then one line a way of training."""
    rows = []
    for board in setup.boards:
        known = tables[f"board {board}", "players"]
        for name in stops(known):
            earns = with_interval(pick(known, "return", name)[:, 0])
            rows.append((f"{board}, {name} player", *[""] * 4, earns, ""))
        for way, one in BOARD_WAYS.items():
            table = tables[f"board {board}", way]
            rows.append((
                f"{board}, {one.title}",
                *(f"{100 * iqm(end(table, f'{loop}_mean')):.1f} %"
                  for loop in ("open", "closed", "strayed")),
                f"{iqm(excess_error(table)):.0f}",
                with_interval(end(table, "return")),
                f"{iqm(end(table, 'expert_return')):.2f}",
            ))  # fmt: skip
    headings = ("board, who plays", "foretells its expert", "agrees with it alone",
                "after random actions", "%ExAccErr", "return [95 %]",
                "expert, same boards")  # fmt: skip
    return Grid("boards, where a slip changes what is seen", headings, rows,
                "Interquartile means over seeds. After random actions: on histories of the expert "
                "in which half of the actions are random ones.")  # fmt: skip


def tuned_table(tables: Tables, setup: Setup) -> Grid:
    """Where each price of divergence ends on each board."""
    rows = []
    for board in setup.boards:
        table = tables[f"board {board}", TUNED]
        for stop in stops(table):
            get = {name: pick(table, name, stop)[:, -1] for name in (
                "return", "kl", "forgotten", "impossible", "own_impossible")}  # fmt: skip
            rows.append((
                f"{board}, {stop}",
                with_interval(get["return"]),
                f"{iqm(get['kl']):.3f}",
                with_interval(get["forgotten"], 3),
                f"{100 * iqm(get['impossible']):.2f} %",
                f"{100 * iqm(get['own_impossible']):.2f} %",
            ))  # fmt: skip
    headings = ("board, tuned with", "return", "KL from the start, nats a step",
                "forgotten nats a token", "believes the impossible, expert's boards",
                "own play")  # fmt: skip
    return Grid("tuning a model of mediocre play on boards", headings, rows,
                "The impossible: tokens that the exact law of the game rules out.")  # fmt: skip


def findings(tables: Tables, setup: Setup) -> list[Finding]:
    """Of what there is."""
    if not setup.boards:
        return []
    return [strays(tables, setup), taught(tables, setup), forgets(tables, setup)]


def strays(tables: Tables, setup: Setup) -> Finding:
    """H3a on boards: the gap between the loops."""
    words, outcomes = [], []
    for board in setup.boards:
        table = tables[f"board {board}", "clone"]
        gap = end(table, "open_mean") - end(table, "closed_mean")
        outcomes.append(outcome_of(*interval([gap]), SLIGHT, np.inf))
        words.append(
            f"{board}: foretells {100 * iqm(end(table, 'open_mean')):.0f} %, gap "
            f"{with_interval(gap, 3)}, earns {with_interval(end(table, 'return'))} where its "
            f"expert earns {iqm(end(table, 'expert_return')):.2f}"
        )
    claim = (
        "on a board a clone agrees with its expert less in its own play than on the expert's "
        f"histories, by more than {SLIGHT}"
    )
    return Finding("H3a boards", claim, "; ".join(words), all_of(outcomes))


def taught(tables: Tables, setup: Setup) -> Finding:
    """H3a' on boards: labels on the learner's own histories earn more than on the expert's."""
    words, outcomes = [], []
    for board in setup.boards:
        earned = {way: end(tables[f"board {board}", way], "return") for way in BOARD_WAYS}
        gap = difference(earned["dagger"], earned["clone"])
        outcomes.append(outcome_of(*gap[1:], 0.0, np.inf))
        others = ", ".join(
            f"{BOARD_WAYS[way].title} {with_interval(earned[way])}" for way in BOARD_WAYS
        )
        words.append(f"{board}: {words_of(gap)} more; {others}")
    claim = "on a board labels on the learner's own histories earn more than on the expert's"
    return Finding("H3a' boards", claim, "; ".join(words), all_of(outcomes))


def forgets(tables: Tables, setup: Setup) -> Finding:
    """H3d on boards."""
    words, outcomes = [], []
    for board in setup.boards:
        found, low, high = rank_of_forgotten(tables[f"board {board}", TUNED])
        outcomes.append(outcome_of(low, high, 0.5, 1.0))
        words.append(f"{board}: {found}")
    claim = "tuned for reward, a model forgets a board's law the more, the farther it goes (rank "
    claim += "correlation above 0.5 over prices and seeds)"
    return Finding("H3d boards", claim, "; ".join(words), all_of(outcomes))
