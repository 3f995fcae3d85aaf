"""What the copycat experiment found, in a table and a sentence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from rich.console import Console
from rich.table import Table as Printed

from experiments.bridge.copier import copied, excess_error, expected_return, steady
from experiments.bridge.copycat import CRITERION, RUNS, STOPS, TRAINED_ON
from experiments.results import Table
from experiments.statistics import interval, iqm

CURVES = ("open_right", "closed_right", "open_nats", "closed_nats")


@dataclass(frozen=True)
class Outcome:
    """One run at one stop on one level, of the seeds that came so far: see `loops.judge`."""

    name: str
    stop: str
    level: str
    asked: int
    tokens: Float[np.ndarray, " seeds"]
    open_right: Float[np.ndarray, "seeds T"]
    closed_right: Float[np.ndarray, "seeds T"]
    open_nats: Float[np.ndarray, "seeds T"]
    closed_nats: Float[np.ndarray, "seeds T"]
    returns: Float[np.ndarray, " seeds"]
    undone: Float[np.ndarray, " seeds"]

    @property
    def copier(self) -> Float[np.ndarray, "seeds T"]:
        """How often a copier with the same errors would be right in its own loop."""
        return copied(1 - self.open_right)

    @property
    def as_copier(self) -> Float[np.ndarray, " seeds"]:
        """What such a copier would earn."""
        return expected_return(self.copier)

    @property
    def as_steady_copier(self) -> Float[np.ndarray, " seeds"]:
        """What a copier would earn whose slips have the same mean, spread evenly."""
        return expected_return(copied(steady(1 - self.open_right)))

    @property
    def as_rememberer(self) -> Float[np.ndarray, " seeds"]:
        """What one would earn whose errors never depend on its own actions."""
        return expected_return(self.open_right)

    @property
    def copies(self) -> bool:
        """What it earns is nearer to a copier's than to a rememberer's."""
        own, copier, rememberer = map(iqm, (self.returns, self.as_copier, self.as_rememberer))
        return bool(abs(own - copier) < abs(own - rememberer))


def outcomes_of(tables: dict[str, Table]) -> list[Outcome]:
    """All runs, levels and stops, in order; a stop that no seed came to is left out."""
    outcomes = []
    for name, table in tables.items():
        for level in dict.fromkeys(table["level"].tolist()):
            for stop in STOPS:
                of_all = (table["level"] == level) & (table["stop"] == stop)
                here = of_all & np.isfinite(table["tokens"].astype(float))
                if here.any():
                    outcomes.append(_outcome(name, stop, level, table, of_all, here))
    return outcomes


def _outcome(name, stop, level, table, of_all, here) -> Outcome:
    seeds = np.unique(table["seed"][here])
    order = np.lexsort((table["t"][here], table["seed"][here]))
    columns = {
        key: table[key][here].astype(np.float64)[order].reshape(len(seeds), -1)
        for key in ("tokens", "return", "undone", *CURVES)
    }
    return Outcome(
        name,
        stop,
        level,
        asked=len(np.unique(table["seed"][of_all])),
        tokens=columns.pop("tokens")[:, 0],
        returns=columns.pop("return")[:, 0],
        undone=columns.pop("undone")[:, 0],
        **columns,
    )


def print_outcomes(outcomes: list[Outcome], console: Console) -> None:
    """The table of the level that was trained on, that of the returns of all, and the reading."""
    here = [outcome for outcome in outcomes if outcome.level == TRAINED_ON]
    console.print(loops_table(here))
    if len(here) < len(outcomes):
        console.print(levels_table(outcomes))
    console.print(reading(here))


def loops_table(outcomes: list[Outcome]) -> Printed:
    """Both loops on one level."""
    table = Printed(title=f"{TRAINED_ON}, interquartile means over seeds")
    for name in ("trained as", "looked at"):
        table.add_column(name, no_wrap=True)
    for name in (
        *("seeds", "k tokens", "open loop", "own loop", "return [95 %]", "copier's"),
        *("if steady", "rememberer's", "slip undone", "%ExAccErr"),
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        excess = excess_error(outcome.open_nats, outcome.closed_nats)
        table.add_row(
            RUNS[outcome.name].title,
            outcome.stop,
            f"{len(outcome.tokens)} of {outcome.asked}",
            f"{iqm(outcome.tokens) / 1e3:.0f}",
            f"{100 * iqm(outcome.open_right.mean(axis=1)):.2f} %",
            f"{100 * iqm(outcome.closed_right.mean(axis=1)):.2f} %",
            with_interval(outcome.returns),
            f"{iqm(outcome.as_copier):.2f}",
            f"{iqm(outcome.as_steady_copier):.2f}",
            f"{iqm(outcome.as_rememberer):.2f}",
            f"{100 * iqm(outcome.undone):.1f} %",
            f"{iqm(excess):.0f}",
        )
    return table


def levels_table(outcomes: list[Outcome]) -> Printed:
    """Returns on longer episodes than those trained on, beside both closed forms."""
    levels = list(dict.fromkeys(outcome.level for outcome in outcomes))
    table = Printed(title="return: own / a copier's / a rememberer's")
    for name in ("trained as", "looked at"):
        table.add_column(name, no_wrap=True)
    rows = {(o.name, o.stop): [] for o in outcomes}
    for outcome in outcomes:
        three = (outcome.returns, outcome.as_copier, outcome.as_rememberer)
        rows[outcome.name, outcome.stop].append(" / ".join(f"{iqm(x):.2f}" for x in three))
    for level in levels:
        steps = next(o.open_right.shape[1] for o in outcomes if o.level == level)
        table.add_column(f"{level}, {steps} steps", justify="right")
    for (name, stop), cells in rows.items():
        table.add_row(RUNS[name].title, stop, *cells)
    return table


def with_interval(values: Float[np.ndarray, " seeds"]) -> str:
    """The interquartile mean and its bootstrap interval over seeds."""
    low, high = interval([values])
    return f"{iqm(values):.2f} [{low:.2f}, {high:.2f}]"


def reading(outcomes: list[Outcome]) -> str:
    """What the first run says, and what the others add, in a few words."""
    found = {(o.name, o.stop): o for o in outcomes}
    clone = found.get(("clone", STOPS[0]))
    if clone is None:
        return f"No clone ever foretold {CRITERION:.0%} of the expert's actions: nothing to read."
    own, copier, rememberer = map(iqm, (clone.returns, clone.as_copier, clone.as_rememberer))
    words = (
        f"With {iqm(clone.open_right.mean(axis=1)):.1%} of the expert's actions foretold, the "
        f"clone earns {own:.2f} by itself, where a copier with its errors would earn {copier:.2f} "
        f"and one that remembers {rememberer:.2f}: it "
        f"{'copies' if clone.copies else 'does not just copy'}"
    )
    others = [
        f"{RUNS[name].title} {iqm(found[name, STOPS[0]].returns):.2f}"
        for name in RUNS
        if name != "clone" and (name, STOPS[0]) in found
    ]
    return words + (f". As far in the open loop: {'; '.join(others)}." if others else ".")
