"""The outcomes of the hypotheses on the closed loop."""

from __future__ import annotations

import numpy as np

from experiments.bridge.loop.config import BANDIT_WAYS, STOPS, LoopConfig
from experiments.bridge.measures.closed_loop import InBothLoops
from experiments.bridge.page import Grid
from experiments.reports.statistics import format_iqm, iqm
from experiments.results.store import Table

Tables = dict[tuple[str, str], Table]
NEAR = 0.1  # largest difference of two equal returns
SLIGHT = 0.02  # nats per card: less than a loss curve shows
WHAT = (
    "In the open loop the expert acts and the model predicts; in the closed loop the model reads "
    "its own outputs. Where actions do not affect the cards, only the previous action can "
    "propagate an error; where they do, histories differ too; and a model that generates "
    "answers itself."
)


def pick(table: Table, what: str, stop: str) -> np.ndarray:
    """`[seeds, T]`, the values of one measure."""
    here = (table["what"] == what) & (table["stop"] == stop)
    seeds = np.unique(table["seed"][here])
    order = np.lexsort((table["t"][here], table["seed"][here]))
    return table["value"][here].astype(float)[order].reshape(len(seeds), -1)


def stops(table: Table) -> list[str]:
    return list(dict.fromkeys(table["stop"].tolist()))


def words_of(three: tuple[float, float, float]) -> str:
    middle, low, high = three
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


class Deck(InBothLoops):
    """One condition on one deck at one stop, for the seeds that reached it; evaluated on another
    level if given."""

    def __init__(self, table: Table, stop: str, level: str = ""):
        stop = f"{stop}, {level}" if level else stop
        reached = np.isfinite(pick(table, "updates", stop)[:, 0])
        self.asked, self.came = len(reached), int(reached.sum())
        for name in ("open_right", "closed_right", "open_nats", "closed_nats"):
            setattr(self, name, pick(table, name, stop)[reached])
        self.returns = pick(table, "return", stop)[reached, 0]
        self.undone = pick(table, "undone", stop)[reached, 0]


def deck_table(tables: Tables, setup: LoopConfig) -> Grid:
    """Both loops, one row per condition, deck and stop."""
    rows = []
    for deck in setup.decks:
        for way, one in setup.ways.items():
            for stop in STOPS:
                it = Deck(tables[f"deck {deck}", way], stop)
                head = f"{deck}, {one.title}, {stop}"
                if not it.came:
                    rows.append((head, f"0 of {it.asked}", *[""] * 7))
                    continue
                rows.append(
                    (
                        head,
                        f"{it.came} of {it.asked}",
                        f"{100 * iqm(it.open_right.mean(axis=1)):.1f} %",
                        f"{100 * iqm(it.closed_right.mean(axis=1)):.1f} %",
                        format_iqm(it.returns),
                        f"{iqm(it.as_copier):.2f}",
                        f"{iqm(it.as_rememberer):.2f}",
                        f"{100 * iqm(it.undone):.0f} %",
                        f"{iqm(it.excess):.0f}",
                    )
                )
    headings = ("deck, condition, stop", "seeds", "open loop", "own loop", "return [95 %]",
                "copier's return", "return with memory", "slip corrected", "%ExAccErr")  # fmt: skip
    return Grid("RepeatFirst with the previous action as input", headings, rows,
                "Interquartile means over seeds. 99 %: when this share of the expert's actions "
                "was first predicted on new decks.")  # fmt: skip


def bandit_table(tables: Tables, setup: LoopConfig) -> Grid:
    """Play statistics of trained policies and of scripted players."""
    shown = [
        (name, tables["bandit", "players"], name) for name in stops(tables["bandit", "players"])
    ]
    shown += [(way.title, tables["bandit", name], "end") for name, way in BANDIT_WAYS.items()]
    rows = []
    for title, table, stop in shown:
        trained = stop == "end"
        loops = [
            f"{100 * iqm(pick(table, f'{which}_right', stop).mean(axis=1)):.1f} %"
            if trained
            else ""
            for which in ("open", "closed")
        ]
        habits = [
            pick(table, name, stop)[:, 0] for name in ("return", "stayed", "locked", "entropy")
        ]
        rows.append((title, *loops, format_iqm(habits[0]), format_iqm(habits[1]),
                     format_iqm(habits[2]), f"{iqm(habits[3]):.2f}"))  # fmt: skip
    headings = ("player", "accuracy, expert's loop", "own loop", "return [95 %]",
                "never left first arm", "second half on it", "entropy of arms")  # fmt: skip
    note = (
        f"{setup.arms} arms, {setup.pulls} pulls; the greatest entropy is {np.log(setup.arms):.2f}."
    )
    return Grid("a bandit, and an expert who sees which arm is best", headings, rows, note)


def dream_table(tables: Tables, setup: LoopConfig) -> Grid:
    """Generated whole decks."""
    rows = []
    for deck in setup.decks:
        table = tables["dreams", deck]
        get = {name: pick(table, name, "end") for name in ("impossible", "broken", "legal",
               "excess", "dealt_excess", "model_nats", "bayes_nats")}  # fmt: skip
        last = max(1, len(get["broken"][0]) // 4)
        rows.append((
            deck,
            format_iqm(get["dealt_excess"].mean(axis=1), 3),
            format_iqm(get["excess"].mean(axis=1), 3),
            f"{100 * iqm(get['impossible'][:, :last].mean(axis=1)):.2f} %",
            f"{100 * iqm(get['impossible'][:, -last:].mean(axis=1)):.2f} %",
            f"{100 * iqm(get['legal'][:, 0]):.1f} %",
            f"{iqm(get['model_nats'].mean(axis=1)):.3f}",
            f"{iqm(get['bayes_nats'].mean(axis=1)):.3f}",
        ))  # fmt: skip
    headings = ("deck", "excess nats, dealt decks", "generated, until broken",
                "impossible cards, first quarter", "last quarter", "legal whole decks",
                "nats per generated card, model", "exact, until broken")  # fmt: skip
    return Grid("a language model generates a deck", headings, rows)


def frontier_table(tables: Tables) -> Grid:
    """The final result of each KL penalty."""
    table = tables["frontier", "tuning"]
    rows = [
        (stop, *(format_iqm(pick(table, name, stop)[:, -1], 3)
                 for name in ("return", "forgotten", "kl")))
        for stop in stops(table)
    ]  # fmt: skip
    headings = ("tuned with", "return", "forgotten nats per card", "KL from the start per step")
    return Grid("tuning a model of mediocre transcripts", headings, rows)
