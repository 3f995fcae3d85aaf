"""Learning rates, tried alike for each kind of feedback, on seeds that no result reports."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.bridge.page import Grid
from experiments.results.store import Table

FIRST_SEED = 1000
FEW = (1e-3, 3e-3, 1e-2, 3e-2)
MANY = (1e-4, 2e-4, 5e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
ALIKE = 0.01
RULES = {
    "middle": "of those within {} of the best at last the middle one, whose neighbours do as well",
    "fastest": "of those within {} of the best at last the one that learns most on the way",
}


class Lanes(NamedTuple):
    """One run each: `[lanes]` seeds and learning rates."""

    seeds: tuple[int, ...]
    rates: np.ndarray


def lanes(rates: tuple[float, ...], trials: int) -> Lanes:
    """Every rate with so many tuning seeds, the same for all.

    >>> lanes((0.001, 0.01), 2).seeds
    (1000, 1001, 1000, 1001)
    """
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + trials))
    return Lanes(seeds * len(rates), np.repeat(np.float32(rates), trials))


def table_of(run: Lanes, updates: Sequence[int], learned: str, found: Sequence[Any]) -> Table:
    """One line per look and run. found: of each look what is learned, `[lanes]`."""
    return {
        "seed": np.tile(run.seeds, len(updates)),
        "rate": np.tile(np.float64(run.rates), len(updates)),
        "update": np.repeat(updates, len(run.seeds)),
        learned: np.concatenate([np.float64(one) for one in found]),
    }


def tried(table: Table, learned: str) -> list[tuple[float, float, float]]:
    """Each rate, what is learned with it at last, and on average over all looks, which lie at
    equal ratios of updates; a run that diverged has learned nothing."""
    found = []
    for rate in np.unique(table["rate"]):
        mine = np.isclose(table["rate"], rate)
        level = np.nan_to_num(table[learned], nan=-1.0)
        last = mine & (table["update"] == table["update"].max())
        found.append((float(rate), float(level[last].mean()), float(level[mine].mean())))
    return found


def best(table: Table, learned: str, rule: str) -> float:
    """The rate to report, by one of the `RULES`: the middle one where networks are to be good, the
    fastest where tokens are counted.

    >>> curves = {"rate": np.repeat([0.001, 0.1], 2), "update": np.array([1, 9, 1, 9])}
    >>> curves["right"] = np.array([0.2, 1.0, 0.6, 0.995])
    >>> best(curves, "right", "middle"), best(curves, "right", "fastest")
    (0.001, 0.1)
    """
    found = tried(table, learned)
    enough = max(last for _, last, _ in found) - ALIKE
    good = [one for one in found if one[1] >= enough]
    if rule == "middle":
        return good[(len(good) - 1) // 2][0]
    return max(good, key=lambda one: one[2])[0]


def grid(
    tables: Mapping[Hashable, Table], titles: Mapping[Hashable, str], learned: str, rule: str
) -> Grid:
    """How much each kind of feedback depends on its learning rate."""
    rates = sorted({rate for table in tables.values() for rate, *_ in tried(table, learned)})
    rows = []
    for part, table in tables.items():
        last = {rate: at for rate, at, _ in tried(table, learned)}
        chosen = best(table, learned, rule)
        marks = {rate: "*" if rate == chosen else "" for rate in last}
        rows.append((titles[part], *(f"{last[r]:.3f}{marks[r]}" for r in rates)))
    note = (
        "What is learned at last on tuning seeds, at each learning rate; * the one that reporting "
        f"seeds were trained with: {RULES[rule].format(ALIKE)}."
    )
    return Grid("learning rates tried", ("", *(f"{rate:g}" for rate in rates)), rows, note)
