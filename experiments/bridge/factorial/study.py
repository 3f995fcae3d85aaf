"""`popjax bridge factorial`: its six cells, as tables and as a section of a page."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from experiments.bridge.criterion import Cell, reached
from experiments.bridge.factorial import conditions, findings
from experiments.bridge.factorial.conditions import Curves, FactorialConfig
from experiments.bridge.factorial.figures import draw
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import (
    Context,
    Stage,
    Study,
    Watch,
    config_of,
    curves_of,
    mean_at_end,
    record_of,
    run,
)
from experiments.results.store import Table


class Six(NamedTuple):
    """The settings, and the curves of the cells."""

    setup: FactorialConfig
    curves: dict[Cell, Curves]


def six_cells(folder: Path, preset: str, memory: str, seeds: int, console: Console) -> Six | None:
    """Trains the missing cells of a preset in a study nested in a study's folder; None if no preset
    is named."""
    if not preset:
        return None
    return six_of(run(STUDY, config_of(STUDY, preset, memory, seeds), folder, STUDY.name, console))


def six_of(context: Context) -> Six:
    return Six(context.config, curves_of(context.tables["cells"], context.config.seeds))


def grids(six: Six | None) -> list[Grid]:
    """When each cell reaches the criterion, and what each edge costs."""
    if six is None:
        return []
    names = findings.CELL_NAMES + findings.CELL_NUMBERS, findings.EDGE_NAMES + findings.EDGE_NUMBERS
    return [
        Grid(findings.CELLS_TITLE, names[0], findings.cell_rows(six.curves), findings.CELLS_NOTE),
        Grid(
            findings.EDGES_TITLE,
            names[1],
            findings.edge_rows(six.curves, six.setup),
            findings.EDGES_NOTE,
        ),
    ]


def theory(six: Six) -> Grid:
    return Grid("beforehand", ("", "in theory"), findings.theory_rows(six.setup))


def sections(six: Six | None) -> list[Section]:
    """The section of the page."""
    if six is None:
        return []
    words = findings.reading(reached(six.curves, findings.TOKENS, findings.LEVELS[0]))
    picture = Picture(draw(six.curves), "Competence in six cells over tokens and nats of feedback")
    text = (
        "Two things distinguish a language model from an agent here: the target, which is the next "
        "observation or the right action, and the feedback, which is a label, a verdict per step, "
        f"or one sum per episode. With all else equal, {words}."
    )
    return [Section("Two targets by three kinds of feedback", text, [picture, *grids(six)])]


def shown(context: Context, preset: str) -> Shown:
    """When each cell reaches the criterion, the cost of each edge of the square, and the figure."""
    six = six_of(context)
    words = findings.reading(reached(six.curves, findings.TOKENS, findings.LEVELS[0]))
    return Shown(
        "factorial",
        "Two targets by three kinds of feedback",
        words,
        [],
        [*grids(six), theory(six)],
        sections(six),
        draw(six.curves),
        110,
        {"preset": preset, **record_of(six.setup)},
    )


def run_cell(context: Context, cell: Cell, watch: Watch) -> Table:
    return conditions.run_cell(context.config, *cell, watch)


def headline(context: Context, tables: int, finished: int) -> str:
    config = context.config
    tokens = config.num_updates * config.num_episodes * config.env.max_steps
    return (
        f"{tables} cells of {config.seeds} seeds in {context.folder}: {finished} finished, "
        f"{tokens / 1e6:.2f} million tokens per seed in each of the others"
    )


STUDY = Study(
    name="factorial",
    presets=conditions.PRESETS,
    stages=[
        Stage(
            "cells",
            conditions=lambda config: conditions.CELLS,
            title=" by ".join,
            run=run_cell,
            about=mean_at_end("competence"),
        )
    ],
    shown=shown,
    headline=headline,
)
