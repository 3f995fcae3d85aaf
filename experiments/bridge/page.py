"""The output of a bridge experiment: findings, figures and tables, in the terminal and on its own
page."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table as Printed
from rich.text import Text

from experiments.bridge.findings import Finding, Outcome
from experiments.reports.page import Section as PageSection
from experiments.reports.page import page
from experiments.reports.style import write
from experiments.results.files import write_atomically
from experiments.results.store import machine
from experiments.results.tables import Column, Sheet

FOUND = "What was predicted, and what was found"
SETTINGS = "all settings that determine the result"
STYLES: dict[Outcome, str] = {"holds": "green", "fails": "red", "inconclusive": "yellow"}


@dataclass(frozen=True)
class Picture:
    """A figure, what it shows in a sentence (also its alternative text), and its caption."""

    figure: Figure
    shows: str
    caption: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: distinct headings, and rows of formatted words or numbers."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""

    def __post_init__(self):
        if len(set(self.headings)) < len(self.headings):
            raise ValueError(f"two columns of {self.title!r} have one name: {self.headings}")


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, and the figures and tables below them."""

    title: str
    text: str = ""
    parts: Sequence[Picture | Grid] = ()


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """One row per hypothesis."""
    table = Printed(title=f"{FOUND} (* the primary endpoint)")
    table.add_column("", no_wrap=True)
    for name in ("claim", "found"):
        table.add_column(name, ratio=1)
    table.add_column("outcome", no_wrap=True)
    for one in findings:
        style = STYLES[one.outcome]
        name = one.name + ("*" if one.primary else "")
        table.add_row(name, one.claim, one.found, Text(one.outcome, style=style))
    console.print(table)


def print_grid(grid: Grid, console: Console) -> None:
    """The same table in the terminal."""
    table = Printed(title=grid.title, caption=grid.note or None, caption_justify="left")
    for i, name in enumerate(grid.headings):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in grid.rows:
        table.add_row(*map(str, row))
    console.print(table)


def write_page(
    path: Path,
    title: str,
    lead: str,
    findings: Sequence[Finding],
    sections: Sequence[Section],
    settings: dict[str, Any],
) -> Path:
    """Writes the page. lead: the verdict in a few sentences. settings: all that determine the
    result; versions and the machine are added."""
    settings_text = json.dumps(settings | machine(), indent=1, default=str)
    text = page(
        title,
        lead,
        "",
        [
            *([of_findings(findings)] if findings else []),
            *(of_section(f"part-{i}", section) for i, section in enumerate(sections)),
            PageSection("settings", "Settings", texts=[(SETTINGS, settings_text)]),
        ],
        over="popjax bridge",
        attached="",
    )
    write_atomically(path, text.encode())
    return path


def of_findings(findings: Sequence[Finding]) -> PageSection:
    """All hypotheses with their results."""
    rows = [
        (
            one.name + ("*" if one.primary else ""),
            one.claim,
            one.found,
            Markup('<span class="{0}">{0}</span>').format(one.outcome),
        )
        for one in findings
    ]
    columns = [Column(name) for name in ("hypothesis", "claim", "found", "outcome")]
    note = "* the primary endpoint; all else is exploratory."
    sheet = of_rows("findings", FOUND, columns, rows, note)
    return PageSection("findings", "Findings", sheets=[sheet], titled=True)


def of_section(name: str, section: Section) -> PageSection:
    """A section of the page: its figures, then its tables."""
    pictures = [part for part in section.parts if isinstance(part, Picture)]
    grids = [part for part in section.parts if isinstance(part, Grid)]
    image = Markup('<img src="{}" alt="{}"><figcaption>{}</figcaption>')
    return PageSection(
        name,
        section.title,
        [paragraph for paragraph in section.text.split("\n\n") if paragraph],
        [image.format(as_source(p.figure), p.shows, p.caption or p.shows) for p in pictures],
        sheets=[
            of_rows(
                f"{name}-{i}",
                grid.title,
                [Column(word, 0 if k else None) for k, word in enumerate(grid.headings)],
                [list(map(str, row)) for row in grid.rows],
                grid.note,
            )
            for i, grid in enumerate(grids)
        ],
        titled=True,
    )


def of_rows(
    name: str, title: str, columns: Sequence[Column], rows: Sequence[Sequence[str]], note: str
) -> Sheet:
    """A table of text."""
    names = [column.name for column in columns]
    lines = [dict(zip(names, row, strict=True)) for row in rows]
    return Sheet(name, title, columns, lines, [note] if note else [])


def as_source(figure: Figure) -> str:
    """A figure as an SVG data URI: no two figures of a page share ids."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "popjax"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


class Shown(NamedTuple):
    """Everything an experiment shows.

    name, title: of the files and of the page. lead: the verdict in a few sentences. printed: tables
    for the console. figure, dpi: the summary, if there is anything to draw. settings: all that
    determined the result.
    """

    name: str
    title: str
    lead: str
    findings: Sequence[Finding]
    printed: Sequence[Grid]
    sections: Sequence[Section]
    figure: Figure | None
    dpi: int
    settings: dict[str, Any]


def show(shown: Shown, folder: Path, console: Console) -> None:
    """Prints the findings, and writes the page and the figure into the folder."""
    for grid in shown.printed:
        print_grid(grid, console)
    if shown.findings:
        print_findings(shown.findings, console)
    console.print(shown.lead, style="bold", soft_wrap=True)
    path = write_page(
        folder / f"{shown.name}.html",
        shown.title,
        shown.lead,
        shown.findings,
        shown.sections,
        shown.settings,
    )
    figures = write(shown.figure, folder, shown.name, dpi=shown.dpi) if shown.figure else []
    for file in [*figures, path]:
        console.print(f"written to {file}")
