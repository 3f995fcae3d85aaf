"""The page of a study: one HTML file, self-contained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from experiments.results.tables import Sheet, Spread, Within, format_value, number

HERE = Path(__file__).parent
ATTACHED = "explore.html"  # the page with the toggle, in the same folder


@dataclass(frozen=True)
class Pictures:
    """A column of pictures, one a line, after the column of that name."""

    name: str
    about: str
    after: str
    lines: Sequence[str]


@dataclass(frozen=True)
class Section:
    """A part of the page.

    figures, panels: SVG, or an image with its caption. pictures: a column of SVG for the first
    sheet. folded: sheets that open on a click; texts: text that does, under its title. titled:
    tables show their titles, and long words are broken into lines.
    """

    name: str
    title: str
    about: Sequence[str] = ()
    figures: Sequence[str] = ()
    panels: Sequence[str] = ()
    legend: Sequence[tuple[str, str]] = ()
    sheets: Sequence[Sheet] = ()
    pictures: Pictures | None = None
    folded: Sequence[Sheet] = ()
    texts: Sequence[tuple[str, str]] = ()
    titled: bool = False


def page(
    study: str,
    lead: str,
    facts: str,
    sections: Sequence[Section],
    over: str = "popjax report",
    attached: str = ATTACHED,
) -> str:
    """The whole file.

    facts: a line under the lead, if there is one. over: what kind of page it is. attached: the name
    of a page beside it, "" for none.
    """
    loader = jinja2.FileSystemLoader(HERE)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("page.html")
    return template.render(
        study=study,
        over=over,
        attached=attached,
        lead=lead,
        facts=facts,
        css=Markup((HERE / "page.css").read_text()),
        script=Markup((HERE / "page.js").read_text()),
        sections=[_shown(section) for section in sections],
    )


def _shown(section: Section) -> dict[str, Any]:
    return {
        "name": section.name,
        "title": section.title,
        "about": section.about,
        "legend": section.legend,
        "figures": [Markup(figure) for figure in section.figures],
        "panels": [Markup(panel) for panel in section.panels],
        "sheets": [
            _table(sheet, section.pictures if i == 0 else None)
            for i, sheet in enumerate(section.sheets)
        ],
        "folded": [_table(sheet) for sheet in section.folded],
        "texts": section.texts,
        "titled": section.titled,
    }


def _table(sheet: Sheet, pictures: Pictures | None = None) -> dict[str, Any]:
    columns = [
        {"name": c.name, "about": c.about, "kind": _kind(c.digits, c.known), "sorts": True}
        for c in sheet.columns
    ]
    rows = [
        [
            {
                "kind": _kind(column.digits, column.known),
                "value": _value(row.get(column.name)),
                "words": _marked(row.get(column.name), column.digits),
            }
            for column in sheet.columns
        ]
        for row in sheet.rows
    ]
    if pictures:
        place = 1 + [c.name for c in sheet.columns].index(pictures.after)
        head = {"name": pictures.name, "about": pictures.about, "kind": "picture", "sorts": False}
        columns.insert(place, head)
        for row, picture in zip(rows, pictures.lines, strict=True):
            row.insert(place, {"kind": "picture", "value": "", "words": Markup(picture)})
    return {
        "name": sheet.name,
        "title": sheet.title,
        "caption": sheet.caption,
        "columns": columns,
        "rows": rows,
    }


def _kind(digits: int | None, known: bool) -> str:
    return ("words" if digits is None else "number") + (" known" if known else "")


def _value(value: Any) -> str:
    """What a line is sorted by."""
    if isinstance(value, str):
        return value.striptags() if isinstance(value, Markup) else value
    plain = number(value)
    return "" if plain is None else repr(plain)


def _marked(value: Any, digits: int | None) -> Markup:
    """As words, what follows the estimate in grey."""
    text = format_value(value, digits)
    if isinstance(value, Spread | Within) and " " in text:
        first, rest = text.split(" ", 1)
        return Markup(f'{first} <span class="spread">{escape(rest)}</span>')
    return escape(text)
