"""The six cells as tables and a section of a page, their own or that of `popjax bridge verdict`."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from experiments.bridge.criterion import Cell
from experiments.bridge.factorial import findings
from experiments.bridge.factorial.conditions import Curves, Setup, factorial
from experiments.bridge.factorial.figures import draw
from experiments.bridge.page import Grid, Picture, Section


class Six(NamedTuple):
    """What was set, and the curves of the cells."""

    setup: Setup
    curves: dict[Cell, Curves]


def six_cells(folder: Path, preset: str, memory: str, seeds: int, console: Console) -> Six | None:
    """Trains the cells of a preset that are not there yet, in a study inside a study's folder; None
    if no preset is named."""
    if not preset:
        return None
    return Six(*factorial(folder, "factorial", preset, memory, seeds, console)[1:])


def grids(six: Six | None) -> list[Grid]:
    """When each cell gets there, and what each edge costs."""
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


def sections(six: Six | None) -> list[Section]:
    """Of the page."""
    if six is None:
        return []
    words = findings.reading(findings.reached(six.curves, findings.TOKENS, findings.LEVELS[0]))
    picture = Picture(draw(six.curves), "Competence in six cells over tokens and over nats told")
    text = (
        "Two things part a language model from an agent here: what is aimed at, the next "
        "observation or the right action, and how it is told, by label, by a verdict a step, or by "
        f"one sum an episode. With all else equal, {words}."
    )
    return [Section("Two targets by three kinds of feedback", text, [picture, *grids(six)])]
