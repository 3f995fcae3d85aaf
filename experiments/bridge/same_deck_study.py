"""`popjax bridge same-deck`: trains what is not there yet, measures it, and keeps all tables."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from experiments.bridge import same_deck_exchanges as exchanges
from experiments.bridge import same_deck_measures as measures
from experiments.bridge.same_deck import PRESETS, Cell, Setup
from experiments.bridge.store import tables_of
from experiments.errors import UserError, positive
from experiments.results import Table, open_study
from experiments.specs import memory_name
from popjax.words import nearest

MEASUREMENTS = {
    "probed": measures.probed,
    "controlled": measures.controlled,
    "alike": measures.alike,
    "retained": measures.retained,
    "ordered": measures.ordered,
    "transplanted": exchanges.transplanted,
    "exchanged": exchanges.exchanged,
}
OF_ONE_DECK = ("retained", "ordered")
"""Measurements of single cards, for games of one deck."""
Part = tuple[str, str]


def same_deck(
    out: Path, study: str, preset: str, memory: str, seeds: int, console: Console
) -> tuple[Path, Setup, dict[Part, Table], dict[Part, Table]]:
    """The folder of the study, what was set, the curves of all cells by task and kind, and the
    tables of all measurements by task and name."""
    if preset not in PRESETS:
        raise UserError(nearest(preset, PRESETS, "preset"))
    positive("seeds", seeds)
    setup = replace(PRESETS[preset], memory=memory_name(memory), seeds=seeds)
    folder = open_study(out, study, {"kind": "same-deck", **plain(setup)})
    cells = {cell: folder / f"{'-'.join(cell)}.parquet" for cell in setup.cells}
    parts = {
        (task, name): folder / f"{task}-{name}.parquet"
        for task in setup.tasks
        for name in MEASUREMENTS
        if name not in OF_ONE_DECK or task != "CountRecall"
    }
    done = sum(file.exists() for file in [*cells.values(), *parts.values()])
    console.print(
        f"{len(cells)} cells of {seeds} seeds and {len(parts)} measurements in {folder}: {done} "
        f"finished; {setup.num_tokens / 1e6:.2f} million tokens a seed in each other cell"
    )

    def train(cell: Part, title: str) -> Table:
        shown = {"console": console, "disable": not console.is_terminal}
        watch = partial(track, description=title, transient=True, **shown)
        return Cell(setup, *cell, folder).train(watch)

    def last(table: Table) -> str:
        return f"competence {table['competence'][-seeds:].mean():.3f}, "

    nets = cache(lambda task: measures.Networks(setup, task, folder))
    titles = {cell: f"{cell[0]}, {cell[1]}" for cell in [*cells, *parts]}
    curves = tables_of(cells, titles, train, console, last)
    found = tables_of(
        parts, titles, lambda part, title: MEASUREMENTS[part[1]](nets(part[0])), console
    )
    return folder, setup, curves, found


def plain(setup: Setup) -> dict:
    """As JSON gives it back."""
    return asdict(setup) | {"tasks": list(setup.tasks)}
