"""Each notebook is two files: the words and code that are reviewed, and the same with outputs."""

from pathlib import Path

import jupytext
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9]_*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_both_files_say_the_same(source):
    def cells(path):
        return [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]

    assert cells(source) == cells(source.with_suffix(".ipynb"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_outputs_are_stored_and_none_is_an_error(source):
    code = [c for c in jupytext.read(source.with_suffix(".ipynb")).cells if c.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs and all(output.output_type != "error" for output in outputs)


def test_a_notebook_is_short():
    assert len(SOURCES) == 8
    for source in SOURCES:
        assert len(jupytext.read(source).cells) <= 15
