"""The report of a study: tables in the terminal, a page and figures beside the results, or text."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from experiments.errors import UserError
from experiments.reports.terminal import finished_rows, print_sheet, result_sheets
from experiments.studies import Row, unfinished
from popjax.words import nearest

FORMATS = ("html", "md", "csv", "json")


def report_study(folder: Path, console: Console, form: str = "html") -> None:
    """html: prints the tables of a study and writes its page. md, csv, json: prints that."""
    if form not in FORMATS:
        raise UserError(nearest(form, FORMATS, "format"))
    rows = finished_rows(folder)
    if form == "html":
        print_rows(folder, rows, console)
    else:
        from experiments.reports.export import AS_TEXT

        sys.stdout.write(AS_TEXT[form](folder.name, rows))


def print_study(folder: Path, console: Console, write: bool = True) -> None:
    """The tables of a study, and its page unless that is there and nothing is to be written."""
    rows = finished_rows(folder)
    print_rows(folder, rows, console, write or not (folder / "report.html").exists())


def print_rows(folder: Path, rows: list[Row], console: Console, write: bool = True) -> None:
    """The tables of a study, and where its page lies."""
    from experiments.reports.write import write_report

    for sheet in result_sheets(folder.name, rows):
        print_sheet(sheet, console)
    if missing := len(unfinished(folder)):
        some = "1 cell has" if missing == 1 else f"{missing} cells have"
        console.print(f"{some} begun and not ended: the command that began goes on with them")
    if write:
        try:
            write_report(folder, rows)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write the report to {folder}: {reason}") from None
    report = folder / "report.html"
    console.print(f"report: {report} (figures beside it)", highlight=False, soft_wrap=True)
