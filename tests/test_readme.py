"""The README is short, its code runs, its tables are those of the kept files, and it can be read
where it is shown without the repository: on PyPI, and offline."""

import ast
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from experiments.cli.app import parse
from experiments.reports.published import best_sheet, goals, paper_sheet, short_sheet
from experiments.results.published import results
from experiments.results.tables import Sheet, markdown

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
NOTEBOOKS = ROOT / "notebooks"
MEASURED = NOTEBOOKS / "measured.md"
PAGES = [README, *sorted(NOTEBOOKS.glob("*.md"))]
TEXT = README.read_text("utf-8")
INSTALL = ("pip install", "ray start")  # what a block runs beside `popjax`: nothing to parse


def blocks(language, text=TEXT):
    """The fenced blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def commands(block):
    """The commands of a block of bash, one by one."""
    lines = block.splitlines()
    return [command.strip() for line in lines for command in line.split("&&")]


def test_python_blocks_compile_and_find_what_they_import():
    for block in blocks("python"):
        lines = ast.parse(block, str(README)).body
        imports = [line for line in lines if isinstance(line, ast.Import | ast.ImportFrom)]
        exec(compile(ast.Module(imports, []), str(README), "exec"), {})


@pytest.mark.slow  # by default: they compile, and `agents.train` trains
def test_python_blocks_run(tmp_path, monkeypatch):
    """In their order and in one folder, as a reader would paste them."""
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for block in blocks("python"):
        exec(compile(block, str(README), "exec"), namespace)
    assert namespace["y"].shape == (100, 8, 64)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_parses(page):
    """All of them; those that take seconds are run below."""
    for block in blocks("bash", page.read_text("utf-8")):
        for command in commands(block):
            if not command.startswith((*INSTALL, "pytest")):
                name, *words = shlex.split(command)
                assert name == "popjax" and parse(words)


@pytest.mark.slow
def test_the_quick_commands_run(tmp_path):
    """As they stand and in their order. Only installing, the sweep of ten minutes (run at a small
    size by the tests of the sweep) and the tests themselves are left out."""
    left_out = (*INSTALL, "popjax sweep", "pytest")
    quick = [c for block in blocks("bash") for c in commands(block) if not c.startswith(left_out)]
    assert [command.split()[1] for command in quick] == ["train", "explore"]
    program = [sys.executable, "-m", "experiments.cli"]
    for command in quick:
        run = [*program, *shlex.split(command)[1:]]
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "explore.html").stat().st_size > 1e6


def test_the_two_commands_stand_there():
    assert "pip install -e . && popjax sweep\n" in TEXT
    assert 'pip install -e ".[test]" && pytest\n' in TEXT


def table_of(sheet: Sheet) -> str:
    return "\n".join(line for line in markdown(sheet).splitlines() if line.startswith("|"))


def test_the_tables_of_results_are_those_of_the_kept_files():
    """`popjax published --short --format md`, the same without `--short`, and with
    `--name paper --against-paper`."""
    kept = {name: [r for r in results() if r.name == name] for name in ("fast", "paper")}
    assert table_of(short_sheet(kept["fast"])) in TEXT
    assert table_of(best_sheet(kept["fast"], goals())) in MEASURED.read_text("utf-8")
    assert table_of(paper_sheet(kept["paper"])) in MEASURED.read_text("utf-8")


def test_it_is_read_in_five_minutes():
    """At 250 words a minute, without code and the table of results."""
    kept = [r for r in results() if r.name == "fast"]
    text = re.sub(r"```.*?```", "", TEXT.replace(table_of(short_sheet(kept)), ""), flags=re.DOTALL)
    words = re.findall(r"[A-Za-z][\w'-]*", re.sub(r"\]\([^)]*\)", "]", text))
    assert 1000 < len(words) < 1300


def test_how_it_is_built_is_short():
    section = TEXT.partition("## How it is built\n")[2].partition("\n## ")[0]
    assert 0 < len(section.strip().splitlines()) <= 40


def test_paths_in_how_it_is_built_are_there():
    section = TEXT.partition("## How it is built\n")[2].partition("\n## ")[0]
    paths = re.findall(r"`([\w/]+\.py)`", section)
    assert len(paths) > 10 and all((ROOT / path).is_file() for path in paths)


def tokens_of(text):
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or ()


def test_pypi_shows_it():
    """What `twine check` asks for, a content type and text that renders; and what PyPI's renderer
    takes away, raw HTML, is not there. An unclosed fence would swallow the rest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["readme"] == "README.md"  # from whose name hatchling says text/markdown
    assert not [token for token in tokens_of(TEXT) if token.type.startswith("html")]
    assert len(re.findall(r"^```", TEXT, re.MULTILINE)) % 2 == 0
    levels = [int(token.tag[1]) for token in tokens_of(TEXT) if token.type == "heading_open"]
    assert levels[0] == 1 and set(levels[1:]) == {2}


def test_it_is_readable_without_its_pictures():
    """Where a picture cannot be loaded its description stands in its place, in a paragraph of its
    own; and no sentence points at it."""
    pictures = [token for token in tokens_of(TEXT) if token.type == "image"]
    assert pictures and all(len(picture.content.split()) >= 5 for picture in pictures)
    for picture in pictures:
        assert f"\n\n![{picture.content}]({picture.attrs['src']})\n\n" in TEXT
    pointing = r"(picture|figure|image|plot)s? (above|below)|(above|below),? you see"
    assert not re.search(pointing, TEXT.lower())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_somewhere(page):
    found = [t.attrs.get("href") or t.attrs.get("src") for t in tokens_of(page.read_text("utf-8"))]
    links = [link for link in found if link and not link.startswith("https://")]
    assert all((page.parent / link.partition("#")[0]).is_file() for link in links)
