"""Runs the notebooks and stores their outputs beside the sources.

python notebooks/execute.py              all of them
python notebooks/execute.py 2 5          some

Where the project has an address at GitHub, each begins with a Colab badge (`colab.py`).
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import jupytext
import nbformat
from colab import PYPROJECT, front
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent


def main(chosen: list[str]) -> None:
    for source in sorted(FOLDER.glob("[0-9]_*.py")):
        if chosen and source.name[0] not in chosen:
            continue
        began = time.perf_counter()
        notebook = jupytext.read(source)
        notebook.cells[:0] = in_front(source.stem)
        notebook.metadata["kernelspec"] = {
            "name": "python3", "display_name": "Python 3", "language": "python"
        }  # fmt: skip
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": FOLDER}}).execute()
        for place, cell in enumerate(notebook.cells):
            cell.metadata = {}
            cell.id = f"cell-{place}"  # else a new one every time
        jupytext.write(notebook, source.with_suffix(".ipynb"))
        print(f"{source.stem}  {time.perf_counter() - began:.0f} s", flush=True)


def in_front(name: str) -> list[nbformat.NotebookNode]:
    """The cells that a notebook has beyond its source."""
    make = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}
    return [make[kind](text) for kind, text in front(PYPROJECT.read_text("utf-8"), name)]


if __name__ == "__main__":
    main(sys.argv[1:])
