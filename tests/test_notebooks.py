"""Each notebook is two files: the words and code that are reviewed, and the same with outputs."""

import importlib.util
import json
import re
from pathlib import Path

import jupytext
import pytest

FOLDER = Path(__file__).parents[1] / "notebooks"
SOURCES = sorted(FOLDER.glob("[0-9]_*.py"))


def script(name):
    """A script beside the notebooks, which are no package."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


colab = script("colab")
ADDRESS = '[project.urls]\nRepository = "{}"\n'
SOMEWHERE = ADDRESS.format("https://github.com/example-owner/example-name")


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_both_files_say_the_same(source):
    def cells(path):
        return [(cell.cell_type, cell.source) for cell in jupytext.read(path).cells]

    in_front = colab.front(colab.PYPROJECT.read_text("utf-8"), source.stem)
    assert [*in_front, *cells(source)] == cells(source.with_suffix(".ipynb"))


@pytest.mark.parametrize(
    "text",
    ["", "[project]\nname = 'x'", ADDRESS.format(""), ADDRESS.format("https://example.org/a/b")],
)
def test_without_an_address_at_github_nothing_is_invented(text):
    assert colab.github(text) is None and colab.front(text, "1_environments") == []


@pytest.mark.parametrize("end", ["", "/", ".git"])
def test_an_address_gives_a_badge_and_an_installation(end):
    text = ADDRESS.format(f"https://github.com/example-owner/example-name{end}")
    (kind, badge), (other, install) = colab.front(text, "2_train_a_gru")
    assert (kind, other) == ("markdown", "code")
    place = "github/example-owner/example-name/blob/main/notebooks/2_train_a_gru.ipynb"
    assert re.fullmatch(r"\[!\[Open in Colab\]\(\S+\)\]\(\S+\)", badge) and f"/{place})" in badge
    assert "git+https://github.com/example-owner/example-name" in install


def test_the_cells_in_front_run_where_popjax_is_installed(tmp_path, monkeypatch):
    """Executed as `execute.py` does, with a made-up address: the badge is kept, nothing is
    installed, and the cells are those that the pair is compared with."""
    pytest.importorskip("nbclient")
    monkeypatch.syspath_prepend(FOLDER)
    execute = script("execute")
    (tmp_path / "pyproject.toml").write_text(SOMEWHERE)
    (tmp_path / "1_one.py").write_text("# %%\nprint(1 + 1)\n")
    monkeypatch.setattr(execute, "FOLDER", tmp_path)
    monkeypatch.setattr(execute, "PYPROJECT", tmp_path / "pyproject.toml")
    execute.main([])
    made = json.loads((tmp_path / "1_one.ipynb").read_text())["cells"]
    assert [cell["cell_type"] for cell in made] == ["markdown", "code", "code"]
    assert made[1]["outputs"] == [] and made[2]["outputs"][0]["text"] == ["2\n"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_outputs_are_stored_and_none_is_an_error(source):
    code = [c for c in jupytext.read(source.with_suffix(".ipynb")).cells if c.cell_type == "code"]
    outputs = [output for cell in code for output in cell.outputs]
    assert outputs and all(output.output_type != "error" for output in outputs)


def test_a_notebook_is_short():
    assert len(SOURCES) == 8
    for source in SOURCES:
        assert len(jupytext.read(source).cells) <= 15
