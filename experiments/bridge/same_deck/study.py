"""`popjax bridge same-deck`: what is trained, what is measured of it, and what is shown."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from experiments.bridge import rates
from experiments.bridge.measures.overlap import CAUSAL, STATISTICS
from experiments.bridge.page import Section, Shown
from experiments.bridge.same_deck import exchanges, figures, futures, measures, tables
from experiments.bridge.same_deck import findings as report
from experiments.bridge.same_deck.config import MEMORIES_OF, PRESETS, SameDeckConfig
from experiments.bridge.same_deck.networks import Networks
from experiments.bridge.same_deck.summary import Summary
from experiments.bridge.same_deck.train import Cell
from experiments.bridge.study import Context, Stage, Study, Watch, mean_at_end, record_of
from experiments.results.store import Table

MEASUREMENTS = {
    "probed": measures.probed,
    "controlled": measures.controlled,
    "alike": measures.alike,
    "retained": measures.retained,
    "ordered": measures.ordered,
    "transplanted": exchanges.transplanted,
    "exchanged": exchanges.exchanged,
    "backwards": measures.backwards,
    "shaped": measures.shaped,
    "own-play": measures.own_play,
    "distinction": futures.distinction,
}
NOT_OF = {
    "retained": ("CountRecall", *CAUSAL),
    "ordered": ("CountRecall", "Autoencode", *CAUSAL),
    "exchanged": ("Autoencode", *CAUSAL),
    "own-play": tuple(STATISTICS),
    "distinction": tuple({**STATISTICS, **CAUSAL}.keys() - set(futures.TASKS)),
}
"""Measurements that do not apply to a task. Single cards are probed in games of one deck; cards are
swapped where actions depend on all of them; statistics are interchanged where they are counts or
short lists; agents that read only cards, which do not depend on actions, have no histories of their
own. Equal next-token distributions with different futures occur in few games."""


def measured_of(task: str) -> list[str]:
    """The measurements of a task.

    >>> measured_of("MultiarmedBandit")
    ['probed', 'controlled', 'alike', 'transplanted', 'backwards', 'shaped', 'own-play']
    """
    return [name for name in MEASUREMENTS if task not in NOT_OF.get(name, ())]


Part = tuple[str, str]


@lru_cache(maxsize=1)  # the measurements of one task follow one another
def networks_of(setup: SameDeckConfig, task: str, folder: Path) -> Networks:
    return Networks(setup, task, folder)


def try_rates(context: Context, cell: Part, watch: Watch) -> Table:
    return Cell(context.config, *cell, context.folder).tried(watch)


def train(context: Context, cell: Part, watch: Watch) -> Table:
    return Cell(context.config, *cell, context.folder).train(watch)


def measure(context: Context, part: Part, watch: Watch) -> Table:
    task, name = part
    return MEASUREMENTS[name](networks_of(context.config, task, context.folder))


def headline(context: Context, tables: int, finished: int) -> str:
    setup = context.config
    measured = sum(len(measured_of(task)) for task in setup.tasks)
    return (
        f"{len(setup.cells)} cells of {setup.seeds} seeds and {measured} measurements in "
        f"{context.folder}: {finished} of {tables} tables finished; "
        f"{setup.num_tokens / 1e6:.2f} million tokens per seed in each other cell"
    )


def summary_of(context: Context) -> Summary:
    found = context.tables
    return Summary(context.config, found["cells"], found["measurements"], found["rates"])


def shown(context: Context, preset: str) -> Shown:
    """The results: the figure, the tables, and the outcome of each hypothesis."""
    summary = summary_of(context)
    findings = report.findings_of(summary)
    pictures = figures.pictures(summary) | figures.learning_pictures(summary)
    grids = tables.all_of(summary) | tables.learning_tables(summary)
    sections = [
        Section(title, text, [*pictures.get(what, []), *(grids[n] for n in names if n in grids)])
        for title, text, what, names in SECTIONS
    ]
    return Shown(
        "same_deck",
        TITLE,
        report.lead_of(findings),
        findings,
        [grids[name] for name in ("rates", "competence", "overlap", "likeness") if name in grids],
        sections,
        figures.draw(summary),
        100,
        {"preset": preset, **record_of(summary.setup)},
    )


TITLE = "Same deck, different memory"
SECTIONS = (
    ("Competence", "Networks are compared only where they do what they were trained for.",
     "learning", ("competence", "rates")),
    ("What is held, and what is needed",
    "For every statistic the share that a linear probe finds beyond the clock and the current "
    "card, beside the share that a network with no more memory than it needs would hold.",
     "overlap", ("overlap", "noise", "controls")),
    ("Forgetting", "Nats of each earlier card in the state. Dashed: what a memory of counts only "
    "still holds.", "retention", ()),
    ("The shape of beliefs",
     "The exact distribution of the next token, and a linear map's estimate of it from states.",
     "beliefs", ("shapes", "distinction")),
    ("Likeness", "Debiased linear CKA given clock and card, beside its null (an untrained "
     "network) and its ceiling (two seeds of one objective).", "matrix",
     ("likeness", "others", "backwards", "own")),
    ("Order", "Two cards of the history are swapped, or one is replaced; the order index is the "
    "share of swaps in the total change of the outputs.", "order", ("orders",)),
    ("Exchange", "A network continues from another's state, or from one component of it.",
     "transplants", ("transplants", "exchanges")),
)  # fmt: skip

STUDY = Study(
    name="same-deck",
    presets=PRESETS,
    stages=[
        Stage(
            "rates",
            conditions=lambda config: {
                cell: f"{'-'.join(cell)}-rates" for cell in config.cells if config.rates
            },
            title=", ".join,
            run=try_rates,
            about=rates.best_in_words("competence", "middle"),
        ),
        Stage(
            "cells",
            conditions=lambda config: {cell: "-".join(cell) for cell in config.cells},
            title=", ".join,
            run=train,
            about=mean_at_end("competence"),
        ),
        Stage(
            "measurements",
            conditions=lambda config: {
                (task, name): f"{task}-{name}"
                for task in config.tasks
                for name in measured_of(task)
            },
            title=", ".join,
            run=measure,
        ),
    ],
    shown=shown,
    headline=headline,
    memories=MEMORIES_OF,
)
