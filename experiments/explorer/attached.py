"""The page with the toggle beside a report: `explore.html`, with the study's table and curves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from experiments.explorer import page as explorer_page
from experiments.explorer.study import table_of
from experiments.reports.page import ATTACHED
from experiments.results.store import write_atomically
from experiments.results.study import Row

OWN = b'"command":"popjax explore'  # the mark of a page that `popjax explore` wrote


def attach(folder: Path, rows: Sequence[Row]) -> Path:
    """Writes the page into the folder of a study, with the networks that ship in its replays.

    One that `popjax explore STUDY` wrote stays as it is: it has the study's own networks.
    """
    path = folder / ATTACHED
    if not (path.exists() and OWN in path.read_bytes()):
        text = explorer_page.page(
            study=table_of(folder.name, rows), command=f"popjax report {folder.name}"
        )
        write_atomically(path, text.encode())
    return path
