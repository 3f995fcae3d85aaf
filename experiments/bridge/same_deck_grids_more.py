"""More numbers of `popjax bridge same-deck` as tables, as far as they were measured."""

from __future__ import annotations

import numpy as np

from experiments.bridge import rates
from experiments.bridge.nulls import compare
from experiments.bridge.page import Grid
from experiments.bridge.same_deck import UNTRAINED
from experiments.bridge.same_deck_summary import Summary, in_words, words


def backwards(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("backwards"):
        table = summary.tables[task, "backwards"]
        row = [task]
        for kind in summary.setup.all:
            here = table["kind"] == kind
            seeds = [table["value"][here & (table["seed"] == s)] for s in summary.kept(task, kind)]
            row.append(words(np.array([one.mean() for one in seeds])))
        rows.append(row)
    return Grid(
        "the same history backwards: residual CKA with the states after it forwards",
        ["task", *summary.setup.all],
        rows,
        "Another null: a memory of counts alone does not tell them apart but by the token on the "
        "table, which is left out; one of the last few in order does.",
    )


def shapes(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("shaped"):
        table, row = summary.tables[task, "shaped"], [task]
        for kind in summary.setup.all:
            here = (table["point"] < 0) & (table["kind"] == kind)
            here &= np.isin(table["seed"], summary.kept(task, kind))
            row.append(words(table["value"][here]))
        untrained = (table["point"] < 0) & (table["kind"] == UNTRAINED)
        rows.append([*row, f"{table['shuffled'][untrained].mean():.2f}"])
    return Grid(
        "the shape of beliefs: variance of the exact belief that least squares finds in states",
        ["task", *summary.setup.all, "beliefs of other histories"],
        rows,
        "The belief: the law of the next token, or the posterior means of a bandit's arms.",
    )


def told_apart(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("told-apart"):
        table, row = summary.tables[task, "told-apart"], [task]
        there = np.isfinite(table["value"])
        for kind in summary.setup.all:
            here = there & (table["kind"] == kind)
            seeds = [table["value"][here & (table["seed"] == s)] for s in summary.kept(task, kind)]
            row.append(words(np.array([one.mean() for one in seeds if len(one)])))
        one_network = (table["kind"] == UNTRAINED) & (table["seed"] == 0)
        rows.append([*row, str(int(table["pairs"][one_network].sum()))])
    return Grid(
        "equal next-token law, different futures: how far apart, over histories of other laws",
        ["task", *summary.setup.all, "pairs of histories"],
        rows,
        "Mean squared distances of states at the same step and token. 0: what the next token does "
        "not tell is not held; 1: histories are as far apart whether the next token tells or not.",
    )


def own_histories(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("own-play"):
        played = set(summary.tables[task, "own-play"]["version"].tolist())
        for kind in summary.setup.agents:
            if kind not in played:
                continue
            matrix = summary.matrix(task, "CKA", kind, "own-play")
            for a, b in summary.pairs:
                shared = in_words(summary.likeness(task, a, b))
                if summary.matched(task, a, b):
                    places = [summary.places(k)[0] + summary.kept(task, k)
                              for k in (a, b, UNTRAINED)]  # fmt: skip
                    rows.append(
                        [task, kind, f"{a}, {b}", in_words(compare(matrix, *places)), shared]
                    )
                else:
                    rows.append([task, kind, f"{a}, {b}", "unmatched", shared])
    return Grid(
        "NS on histories of an agent's own making, beside the shared ones",
        ["task", "played by", "kinds", "own [95 %]", "shared [95 %]"],
        rows,
        "Only where what comes depends on what is done. In the card games no network reads an "
        "action, so that its own histories are everybody's.",
    )


def orders(summary: Summary) -> Grid:
    rows = []
    for task in summary.having("ordered"):
        table = summary.tables[task, "ordered"]
        row = [task]
        for kind in ("counter", *summary.setup.kinds, "register"):
            row.append(words(summary.by_seed(task, "ordered", "order_index", kind=kind))
                       if kind in table["kind"] else "")  # fmt: skip
        rows.append(row)
    return Grid(
        "order index [95 %]: 0 for a multiset",
        ["task", "counter, exact", *summary.setup.kinds, "register, exact"],
        rows,
    )


def all_of(summary: Summary) -> dict[str, Grid]:
    """Those with rows."""
    titles = {cell: ", ".join(cell) for cell in summary.rates}
    found = {
        "rates": rates.grid(summary.rates, titles, "competence", "middle"),
        "backwards": backwards(summary),
        "shapes": shapes(summary),
        "told-apart": told_apart(summary),
        "own": own_histories(summary),
        "orders": orders(summary),
    }
    return {name: grid for name, grid in found.items() if grid.rows}
