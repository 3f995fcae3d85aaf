"""How a flagship experiment is shown: on the console, as a page, and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.figure import Figure
from rich.console import Console

from experiments.bridge.drawing import write
from experiments.bridge.page import (
    Finding,
    Grid,
    Section,
    print_findings,
    print_grid,
    write_page,
)


class Shown(NamedTuple):
    """What there is to show.

    name, title: of the files and of the page. lead: the verdict in a few sentences. printed: tables
    for the console. figure, dpi: the summary. settings: all that decided the result.
    """

    name: str
    title: str
    lead: str
    findings: Sequence[Finding]
    printed: Sequence[Grid]
    sections: Sequence[Section]
    figure: Figure
    dpi: int
    settings: dict[str, Any]


def show(shown: Shown, folder: Path, console: Console) -> None:
    """Prints what was found, and writes the page and the figure into the folder."""
    for grid in shown.printed:
        print_grid(grid, console)
    if shown.findings:
        print_findings(shown.findings, console)
    console.print(shown.lead, style="bold", soft_wrap=True)
    page = write_page(
        folder / f"{shown.name}.html",
        shown.title,
        shown.lead,
        shown.findings,
        shown.sections,
        shown.settings,
    )
    for path in [*write(shown.figure, folder, shown.name, dpi=shown.dpi), page]:
        console.print(f"written to {path}")
