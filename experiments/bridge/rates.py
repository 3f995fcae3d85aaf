"""Learning rates, tuned alike for each kind of feedback, on seeds that no result reports."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
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
    """Every rate with the same tuning seeds.

    >>> lanes((0.001, 0.01), 2).seeds
    (1000, 1001, 1000, 1001)
    """
    seeds = tuple(range(FIRST_SEED, FIRST_SEED + trials))
    return Lanes(seeds * len(rates), np.repeat(np.float32(rates), trials))


def table_of(run: Lanes, updates: Sequence[int], learned: str, found: Sequence[Any]) -> Table:
    """One row per look and run. found: `[lanes]` competence at each look."""
    return {
        "seed": np.tile(run.seeds, len(updates)),
        "rate": np.tile(np.float64(run.rates), len(updates)),
        "update": np.repeat(updates, len(run.seeds)),
        learned: np.concatenate([np.float64(one) for one in found]),
    }


def tried(table: Table, learned: str) -> list[tuple[float, float, float]]:
    """Each rate with its final competence and the average over all looks, which lie at equal
    ratios of updates; a diverged run counts as -1."""
    levels = []
    for rate in np.unique(table["rate"]):
        mine = np.isclose(table["rate"], rate)
        level = np.nan_to_num(table[learned], nan=-1.0)
        last = mine & (table["update"] == table["update"].max())
        levels.append((float(rate), float(level[last].mean()), float(level[mine].mean())))
    return levels


def best(table: Table, learned: str, rule: str) -> float:
    """The rate to report, by one of the `RULES`: "middle" for the best final networks, "fastest"
    where learning speed is compared.

    >>> curves = {"rate": np.repeat([0.001, 0.1], 2), "update": np.array([1, 9, 1, 9])}
    >>> curves["right"] = np.array([0.2, 1.0, 0.6, 0.995])
    >>> best(curves, "right", "middle"), best(curves, "right", "fastest")
    (0.001, 0.1)
    """
    levels = tried(table, learned)
    enough = max(last for _, last, _ in levels) - ALIKE
    good = [item for item in levels if item[1] >= enough]
    if rule == "middle":
        return good[(len(good) - 1) // 2][0]
    return max(good, key=lambda item: item[2])[0]


def best_in_words(learned: str, rule: str) -> Callable[[Any, Table], str]:
    """For the line of a condition: the best rate by a rule, and how many were tried."""

    def about(context: Any, table: Table) -> str:
        count = len(context.config.rates)
        return f"learning rate {best(table, learned, rule):g} of {count}, "

    return about


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
        "Final competence on tuning seeds at each learning rate; * the rate of reporting seeds: "
        f"{RULES[rule].format(ALIKE)}."
    )
    return Grid("learning rates tried", ("", *(f"{rate:g}" for rate in rates)), rows, note)
