"""The sheets of a study in the terminal."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from experiments.reports.aggregates import aggregates, aggregates_sheet
from experiments.reports.tables import agents_of, agents_sheet, models_of, models_sheet
from experiments.results.errors import UserError
from experiments.results.study import Row, read_study
from experiments.results.tables import Column, Sheet, format_value

WIDE = 150
HEAD = 10  # characters in a line of a column's head
LEAST = 3  # columns that always stay


def finished_rows(folder: Path) -> list[Row]:
    """The finished cells of a study; a UserError if there is none."""
    rows = read_study(folder)
    if not rows:
        raise UserError(f"no cell of {folder} is finished yet")
    return rows


def result_sheets(study: str, rows: list[Row]) -> list[Sheet]:
    """What was reached: by agents and over all tasks, by language models, or both."""
    sheets = []
    if agents := agents_of(rows):
        sheets.append(agents_sheet(study, agents))
        if found := aggregates(agents):
            sheets.append(aggregates_sheet(study, found))
    if models := models_of(rows):
        sheets.append(models_sheet(study, models))
    return sheets


def print_sheet(sheet: Sheet, console: Console) -> None:
    """As a table that fits: the less important columns are left out where there is little room,
    and no head or number is cut. What is left out for that alone is named under it."""
    wide = console.width >= max(WIDE, _width(sheet, sheet.columns, console))
    columns = [column for column in sheet.columns if wide or not column.wide]
    lacking: list[str] = []
    while len(columns) > LEAST and _width(sheet, columns, console) > console.width:
        column = next((c for c in reversed(columns) if c.known), columns[-1])
        columns.remove(column)
        lacking.insert(0, column.name)
    console.print(_table(sheet, columns))
    if lacking:
        line = f"Left out, as the terminal is narrow: {', '.join(lacking)}."
        console.print(line, highlight=False)


def _width(sheet: Sheet, columns: Sequence[Column], console: Console) -> int:
    """What a table of these columns needs, its caption aside, which is wrapped."""
    unbounded = console.options.update(max_width=100 * WIDE)
    bare = dataclasses.replace(sheet, title="", caption=())
    return Measurement.get(console, unbounded, _table(bare, columns)).maximum


def _table(sheet: Sheet, columns: Sequence[Column]) -> Table:
    table = Table(title=sheet.title, caption="\n".join(sheet.caption), caption_justify="left")
    for column in columns:
        table.add_column(
            textwrap.fill(column.name, HEAD, break_long_words=False),
            justify="left" if column.digits is None else "right",
            no_wrap=True,
            style="dim" if column.known else None,
        )
    for row in sheet.rows:
        table.add_row(*(format_value(row.get(column.name), column.digits) for column in columns))
    return table
