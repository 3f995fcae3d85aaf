"""The README's code runs."""

import re
from pathlib import Path

from experiments.reports.published import best_sheet, goals, paper_sheet
from experiments.results.published import results
from experiments.results.tables import Sheet, markdown

README = Path(__file__).parents[1] / "README.md"
MEASURED = README.with_name("notebooks") / "measured.md"


def test_python_blocks_run():
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL):
        exec(compile(block, str(README), "exec"), namespace)
    assert namespace["y"].shape == (100, 8, 64)


def test_the_two_commands_stand_there():
    text = README.read_text()
    assert "pip install -e . && popjax sweep\n" in text
    assert 'pip install -e ".[test]" && pytest\n' in text


def table_of(sheet: Sheet) -> str:
    return "\n".join(line for line in markdown(sheet).splitlines() if line.startswith("|"))


def test_the_tables_of_results_are_those_of_the_kept_files():
    """`popjax published --format md`, and with `--name paper --against-paper`."""
    kept = {name: [r for r in results() if r.name == name] for name in ("fast", "paper")}
    assert table_of(best_sheet(kept["fast"], goals())) in README.read_text()
    assert table_of(paper_sheet(kept["paper"])) in MEASURED.read_text()
