"""The page of a flagship experiment: one HTML file with its findings, figures and tables, that
loads nothing from anywhere."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import matplotlib
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table as Printed
from rich.text import Text

from experiments.bridge.findings import Finding, Outcome
from experiments.reports.style import write
from experiments.results.files import write_atomically
from experiments.results.store import machine

STYLES: dict[Outcome, str] = {"holds": "green", "fails": "red", "inconclusive": "yellow"}


@dataclass(frozen=True)
class Picture:
    """A figure, what it shows in a sentence (also its alternative text), and its caption."""

    figure: Figure
    shows: str
    caption: str = ""


@dataclass(frozen=True)
class Grid:
    """A table: headings and rows of words or numbers, as they should be read."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[Any]]
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, paragraphs, and what stands under them."""

    title: str
    text: str = ""
    parts: Sequence[Picture | Grid] = ()


def print_findings(findings: Sequence[Finding], console: Console) -> None:
    """One line a hypothesis."""
    table = Printed(title="what was said beforehand, and what was found (* the primary endpoint)")
    table.add_column("", no_wrap=True)
    for name in ("claim", "found"):
        table.add_column(name, ratio=1)
    table.add_column("it", no_wrap=True)
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
    """Writes the page. lead: the verdict in a few sentences. settings: all that decides the
    result; versions and the machine are added."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    text = environment.from_string(TEMPLATE).render(
        title=title,
        lead=lead,
        findings=findings,
        sections=sections,
        settings=json.dumps(settings | machine(), indent=1, default=str),
        is_picture=lambda part: isinstance(part, Picture),
        source=lambda picture: as_source(picture.figure),
    )
    write_atomically(path, text.encode())
    return path


def as_source(figure: Figure) -> str:
    """A figure as lines, in the address of an image: no two of a page share names inside."""
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "popjax"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + base64.b64encode(buffer.getvalue()).decode()


TEMPLATE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<link rel="icon" href="data:,">
<style>
:root { color-scheme: light dark; --ink: #222; --quiet: #5c5c5c; --paper: #fdfdfb; --line: #d8d8d2;
  --holds: #166534; --fails: #b91c1c; --inconclusive: #92400e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e4; --quiet: #a3a39d; --paper: #17181a;
  --line: #3a3b3e; --holds: #86efac; --fails: #fca5a5; --inconclusive: #fcd34d; } }
body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { line-height: 1.2; margin-bottom: .3rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
.lead { font-size: 1.1rem; }
figure { margin: 1.2rem 0; }
img { max-width: 100%; height: auto; background: #fff; border-radius: 4px; }
figcaption, .note { color: var(--quiet); font-size: .9rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .4rem 0; }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; vertical-align: top;
  border-bottom: 1px solid var(--line); }
th:first-child, td:first-child, .findings th, .findings td { text-align: left; }
.holds { color: var(--holds); font-weight: 600; }
.fails { color: var(--fails); font-weight: 600; }
.inconclusive { color: var(--inconclusive); font-weight: 600; }
pre { overflow-x: auto; font-size: .85rem; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } }
</style>
</head>
<body>
<main>
<h1>{{ title }}</h1>
<p class="lead">{{ lead }}</p>
{%- if findings %}
<div class="scroll"><table class="findings">
<caption>What was said beforehand, and what was found</caption>
<thead><tr><th scope="col">hypothesis</th><th scope="col">claim</th><th scope="col">found</th>
<th scope="col">it</th></tr></thead>
<tbody>
{%- for one in findings %}
<tr><th scope="row">{{ one.name }}{% if one.primary %}*{% endif %}</th><td>{{ one.claim }}</td>
<td>{{ one.found }}</td><td class="{{ one.outcome }}">{{ one.outcome }}</td></tr>
{%- endfor %}
</tbody></table></div>
<p class="note">* the primary endpoint; all else is exploratory.</p>
{%- endif %}
{%- for section in sections %}
<h2>{{ section.title }}</h2>
{%- for paragraph in section.text.split("\\n\\n") if paragraph %}
<p>{{ paragraph }}</p>
{%- endfor %}
{%- for part in section.parts %}
{%- if is_picture(part) %}
<figure><img src="{{ source(part) }}" alt="{{ part.shows }}">
<figcaption>{{ part.caption or part.shows }}</figcaption></figure>
{%- else %}
<div class="scroll"><table>
<caption>{{ part.title }}</caption>
<thead><tr>{% for name in part.headings %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{%- for row in part.rows %}
<tr>{% for word in row %}<td>{{ word }}</td>{% endfor %}</tr>
{%- endfor %}
</tbody></table></div>
{%- if part.note %}<p class="note">{{ part.note }}</p>{% endif %}
{%- endif %}
{%- endfor %}
{%- endfor %}
<h2>Settings</h2>
<details><summary>all that decides the result</summary><pre>{{ settings }}</pre></details>
</main>
</body>
</html>
"""


class Shown(NamedTuple):
    """What there is to show.

    name, title: of the files and of the page. lead: the verdict in a few sentences. printed: tables
    for the console. figure, dpi: the summary, if
    there is something to draw. settings: all that decided the result.
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
    figures = write(shown.figure, folder, shown.name, dpi=shown.dpi) if shown.figure else []
    for path in [*figures, page]:
        console.print(f"written to {path}")
