"""`popjax bridge same-deck`: trains what is not there yet, measures it, and keeps all tables."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, partial
from pathlib import Path

from rich.console import Console
from rich.progress import track

from experiments.bridge import rates
from experiments.bridge.measures.overlap import CAUSAL, STATISTICS
from experiments.bridge.page import Section, print_findings, print_grid, write_page
from experiments.bridge.same_deck import exchanges, figures, futures, measures
from experiments.bridge.same_deck import figures as figure
from experiments.bridge.same_deck import findings as report
from experiments.bridge.same_deck import measures as more
from experiments.bridge.same_deck import tables as grids
from experiments.bridge.same_deck import tables as grids_more
from experiments.bridge.same_deck.config import PRESETS
from experiments.bridge.same_deck.networks import Networks
from experiments.bridge.same_deck.summary import Summary
from experiments.bridge.same_deck.train import Cell
from experiments.bridge.store import tables_of
from experiments.results.errors import UserError, positive
from experiments.results.store import Table, open_study
from experiments.train.build import memory_name
from popjax.words import nearest

MEASUREMENTS = {
    "probed": measures.probed,
    "controlled": measures.controlled,
    "alike": measures.alike,
    "retained": measures.retained,
    "ordered": measures.ordered,
    "transplanted": exchanges.transplanted,
    "exchanged": exchanges.exchanged,
    "backwards": more.backwards,
    "shaped": more.shaped,
    "own-play": more.own_play,
    "told-apart": futures.told_apart,
}
NOT_OF = {
    "retained": ("CountRecall", *CAUSAL),
    "ordered": ("CountRecall", "Autoencode", *CAUSAL),
    "exchanged": ("Autoencode", *CAUSAL),
    "own-play": tuple(STATISTICS),
    "told-apart": tuple({**STATISTICS, **CAUSAL}.keys() - set(futures.TASKS)),
}
"""Measurements that a task has no room for. Single cards are asked for in games of one deck; cards
are exchanged where all of them are there to act upon; statistics, where they are counts or short
lists; and agents that read cards alone, which come whatever is done, have no histories of their
own: theirs are those of everybody. The same law with other futures is there in few games."""


def measured_of(task: str) -> list[str]:
    """The measurements of a task.

    >>> measured_of("MultiarmedBandit")
    ['probed', 'controlled', 'alike', 'transplanted', 'backwards', 'shaped', 'own-play']
    """
    return [name for name in MEASUREMENTS if task not in NOT_OF.get(name, ())]


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
    folder = open_study(out, study, {"kind": "same-deck", **setup.plain})
    cells = {cell: folder / f"{'-'.join(cell)}.parquet" for cell in setup.cells}
    parts = {
        (task, name): folder / f"{task}-{name}.parquet"
        for task in setup.tasks
        for name in measured_of(task)
    }
    of_rates = {cell: Cell(setup, *cell, folder).rates_file for cell in setup.cells if setup.rates}
    done = sum(file.exists() for file in [*cells.values(), *parts.values()])
    console.print(
        f"{len(cells)} cells of {seeds} seeds and {len(parts)} measurements in {folder}: {done} "
        f"finished; {setup.num_tokens / 1e6:.2f} million tokens a seed in each other cell"
    )

    def watch(title: str) -> partial:
        shown = {"console": console, "disable": not console.is_terminal}
        return partial(track, description=title, transient=True, **shown)

    def train(cell: Part, title: str) -> Table:
        return Cell(setup, *cell, folder).train(watch(title))

    def try_rates(cell: Part, title: str) -> Table:
        return Cell(setup, *cell, folder).tried(watch(title))

    def chosen(table: Table) -> str:
        return (
            f"learning rate {rates.best(table, 'competence', 'middle'):g} of {len(setup.rates)}, "
        )

    def last(table: Table) -> str:
        return f"competence {table['competence'][-seeds:].mean():.3f}, "

    nets = cache(lambda task: Networks(setup, task, folder))
    titles = {cell: f"{cell[0]}, {cell[1]}" for cell in [*cells, *parts]}
    tried = tables_of(of_rates, titles, try_rates, console, chosen)
    curves = tables_of(cells, titles, train, console, last)
    found = tables_of(
        parts, titles, lambda part, title: MEASUREMENTS[part[1]](nets(part[0])), console
    )
    return folder, Summary(setup, curves, found, tried)


def present(folder: Path, summary: Summary, console: Console) -> list[Path]:
    """Prints what was found, and writes the figure and the page."""
    findings = report.findings_of(summary)
    shown = figure.pictures(summary) | figures.learning_pictures(summary)
    print_findings(findings, console)
    tables = grids.all_of(summary) | grids_more.learning_tables(summary)
    for name in ("rates", "competence", "overlap", "likeness"):
        if name in tables:
            print_grid(tables[name], console)
    lead = report.lead_of(findings)
    console.print(lead, style="bold", soft_wrap=True)
    sections = [
        Section(title, text, [*shown.get(what, []), *(tables[n] for n in names if n in tables)])
        for title, text, what, names in SECTIONS
    ]
    page = write_page(
        folder / "same_deck.html", TITLE, lead, findings, sections, summary.setup.plain
    )
    return [*figure.write_figure(summary, folder), page]


TITLE = "Same deck, different memory"
SECTIONS = (
    ("Competence", "Networks are compared only where they do what they were trained for.",
     "learning", ("competence", "rates")),
    ("What is held, and what had to be",
     "For every statistic the share that a linear probe finds beyond the clock and the card on the "
     "table, beside the share that a network which keeps no more than it must would tell.",
     "overlap", ("overlap", "controls")),
    ("Forgetting", "Nats of each earlier card in the state. One who keeps the counts alone still "
     "knows what the dashed curve says.", "retention", ()),
    ("The shape of beliefs",
     "What may come next, as it is known exactly, and as a linear map finds it in states.",
     "beliefs", ("shapes", "told-apart")),
    ("Likeness", "Debiased linear CKA of what clock and card leave, beside its null (an untrained "
     "network) and its ceiling (two seeds of one objective).", "matrix",
     ("likeness", "others", "backwards", "own")),
    ("Order", "Two cards of the history are exchanged, or one is replaced; the order index is the "
     "share of exchanges in how far the outputs move.", "order", ("orders",)),
    ("Exchange", "A network goes on with another's state, or with one statistic's part of it.",
     "transplants", ("transplants", "exchanges")),
)  # fmt: skip
