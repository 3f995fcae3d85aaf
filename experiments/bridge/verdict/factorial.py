"""The six cells of two targets by three kinds of feedback, as a part of `popjax bridge verdict`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from experiments.bridge.factorial import findings as report
from experiments.bridge.factorial import findings as tables
from experiments.bridge.factorial.conditions import Curves, factorial
from experiments.bridge.factorial.conditions import Setup as SixSetup
from experiments.bridge.factorial.figures import draw
from experiments.bridge.page import Grid, Picture, Section
from experiments.bridge.verdict.config import Setup


class Six(NamedTuple):
    """What was set, and the curves of the cells."""

    setup: SixSetup
    curves: dict[report.Cell, Curves]


def six_cells(folder: Path, setup: Setup, console: Console) -> Six | None:
    """Trains those that are not there yet, in a study inside the study's folder; None if the plan
    has none of them."""
    if not setup.factorial:
        return None
    asked = (folder, "factorial", setup.factorial, setup.memory, setup.seeds, console)
    return Six(*factorial(*asked)[1:])


def grids(six: Six | None) -> list[Grid]:
    """When each cell gets there, and what each edge costs."""
    if six is None:
        return []
    names = tables.CELL_NAMES + tables.CELL_NUMBERS, tables.EDGE_NAMES + tables.EDGE_NUMBERS
    return [
        Grid(tables.CELLS_TITLE, names[0], tables.cell_rows(six.curves), tables.CELLS_NOTE),
        Grid(
            tables.EDGES_TITLE,
            names[1],
            tables.edge_rows(six.curves, six.setup),
            tables.EDGES_NOTE,
        ),
    ]


def sections(six: Six | None) -> list[Section]:
    """Of the page."""
    if six is None:
        return []
    words = report.reading(report.reached(six.curves, report.TOKENS, report.LEVELS[0]))
    picture = Picture(draw(six.curves), "Competence in six cells over tokens and over nats told")
    text = (
        "Two things part a language model from an agent here: what is aimed at, the next "
        "observation or the right action, and how it is told, by label, by a verdict a step, or by "
        f"one sum an episode. With all else equal, {words}."
    )
    return [Section("Two targets by three kinds of feedback", text, [picture, *grids(six)])]
