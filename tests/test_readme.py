"""The README's code runs."""

import re
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def test_python_blocks_run():
    namespace = {}
    for block in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL):
        exec(compile(block, str(README), "exec"), namespace)
    assert namespace["y"].shape == (100, 8, 64)


def test_the_two_commands_stand_there():
    text = README.read_text()
    assert "pip install -e . && popjax sweep\n" in text
    assert 'pip install -e ".[test]" && pytest\n' in text
