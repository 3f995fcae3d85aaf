"""`popjax bridge same-deck`: trains what is not there yet, measures it, and keeps all tables."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import cache, partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from experiments.bridge import same_deck_exchanges as exchanges
from experiments.bridge import same_deck_figure as figure
from experiments.bridge import same_deck_grids as grids
from experiments.bridge import same_deck_measures as measures
from experiments.bridge import same_deck_report as report
from experiments.bridge.page import Section, print_findings, print_grid, write_page
from experiments.bridge.same_deck import PRESETS, Cell, Setup
from experiments.bridge.same_deck_summary import Summary
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
    out: Path, study: str, preset: str, memory: str, seeds: int | None, console: Console
) -> tuple[Path, Summary]:
    """The folder of the study, and all its tables: curves by task and kind, measurements by task
    and name."""
    if preset not in PRESETS:
        raise UserError(nearest(preset, PRESETS, "preset"))
    seeds = PRESETS[preset].seeds if seeds is None else seeds
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
    return folder, Summary(setup, curves, found)


def present(folder: Path, summary: Summary, console: Console) -> list[Path]:
    """Prints what was found, and writes the figure and the page."""
    findings = report.findings_of(summary)
    pictures = figure.pictures(summary)
    print_findings(findings, console)
    tables = grids.all_of(summary)
    for name in ("competence", "overlap", "likeness"):
        print_grid(tables[name], console)
    lead = report.lead_of(findings)
    console.print(lead, style="bold", soft_wrap=True)
    sections = [
        Section(title, text, [*pictures.get(shown, []), *(tables[name] for name in names)])
        for title, text, shown, names in SECTIONS
    ]
    page = write_page(
        folder / "same_deck.html", TITLE, lead, findings, sections, plain(summary.setup)
    )
    return [*figure.write_figure(summary, folder), page]


TITLE = "Same deck, different memory"
SECTIONS = (
    ("Competence", "Networks are compared only where they do what they were trained for.", "",
     ("competence",)),
    ("What is held, and what had to be",
     "For every statistic the share that a linear probe finds beyond the clock and the card on the "
     "table, beside the share that a network which keeps no more than it must would tell.",
     "overlap", ("overlap", "controls")),
    ("Forgetting", "Nats of each earlier card in the state. One who keeps the counts alone still "
     "knows what the dashed curve says.", "retention", ()),
    ("Likeness", "Debiased linear CKA of what clock and card leave, beside its null (an untrained "
     "network) and its ceiling (two seeds of one objective).", "matrix", ("likeness", "others")),
    ("Order", "Two cards of the history are exchanged, or one is replaced; the order index is the "
     "share of exchanges in how far the outputs move.", "order", ()),
    ("Exchange", "A network goes on with another's state, or with one statistic's part of it.",
     "transplants", ("transplants", "exchanges")),
)  # fmt: skip


def plain(setup: Setup) -> dict:
    """As JSON gives it back."""
    return asdict(setup) | {"tasks": list(setup.tasks)}
