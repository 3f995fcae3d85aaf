"""The report of a study: tables in the terminal, a page and figures beside the results, or text."""

from __future__ import annotations

import sys
from collections.abc import Collection
from pathlib import Path

from rich.console import Console

from experiments.reports.terminal import finished_rows, print_sheet, result_sheets
from experiments.results.errors import UserError
from experiments.results.spec import id_of
from experiments.results.study import Row, check_summary, read_rows, unfinished
from popjax.words import nearest

FORMATS = ("html", "md", "csv", "json")


def report_study(folder: Path, console: Console, form: str = "html") -> None:
    """html: prints the tables of a study and writes its page. md, csv, json: prints that."""
    if form not in FORMATS:
        raise UserError(nearest(form, FORMATS, "format"))
    rows = finished_rows(folder)
    for row in rows:
        check_summary(folder / id_of(row.record["spec"]), row.summary)
    if form == "html":
        print_rows(folder, rows, console)
    else:
        from experiments.reports.export import AS_TEXT

        sys.stdout.write(AS_TEXT[form](folder.name, rows))


def print_study(
    folder: Path, console: Console, write: bool = True, only: Collection[str] | None = None
) -> tuple[list[Row], list[UserError]]:
    """The tables of the cells of a study that can be read, and its page unless that is there and
    nothing is to be written. only: the ids of the cells of which tables are printed; the page has
    all. Returns their rows, and what is wrong with the cells that cannot be read, each said in a
    line."""
    rows, faults = read_rows(folder)
    for row in rows:
        try:
            check_summary(folder / id_of(row.record["spec"]), row.summary)
        except UserError as error:
            rows = [other for other in rows if other is not row]
            faults.append(error)
    for fault in faults:
        console.print(str(fault), style="red", markup=False, soft_wrap=True)
    chosen = [row for row in rows if only is None or id_of(row.record["spec"]) in only]
    if rows:
        write = write or not (folder / "report.html").exists()
        print_rows(folder, rows, console, write, chosen)
    return chosen, faults


def print_rows(
    folder: Path,
    rows: list[Row],
    console: Console,
    write: bool = True,
    shown: list[Row] | None = None,
) -> None:
    """The tables of a study, and where its page lies. shown: rows of the tables, if not all."""
    from experiments.explorer.attached import attach
    from experiments.reports.write import write_report

    shown = rows if shown is None else shown
    for sheet in result_sheets(folder.name, shown):
        print_sheet(sheet, console)
    if others := len(rows) - len(shown):
        some = "1 earlier result lies" if others == 1 else f"{others} earlier results lie"
        line = f"{some} in {folder} too: popjax report {folder}"
        console.print(line, highlight=False, soft_wrap=True, markup=False)
    if missing := len(unfinished(folder)):
        some = "1 cell has" if missing == 1 else f"{missing} cells have"
        console.print(f"{some} begun and not ended: the command that began goes on with them")
    if write:
        try:
            write_report(folder, rows)
            attach(folder, rows)
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write the report to {folder}: {reason}") from None
    report = folder / "report.html"
    line = f"report: {report} (figures beside it)"
    console.print(line, highlight=False, soft_wrap=True, markup=False, emoji=False)
