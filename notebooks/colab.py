"""An "Open in Colab" badge and a cell that installs popjax there, where the project has an address.

The address is `Repository` in the `[project.urls]` of pyproject.toml. Colab opens notebooks of
GitHub alone; without such an address nothing is added, for there is nothing to point to.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"
BRANCH = "main"
BADGE = "https://colab.research.google.com/assets/colab-badge.svg"
INSTALL = """import importlib.util

if importlib.util.find_spec("popjax") is None:  # on a machine that has only Python, such as Colab
    %pip install -q "popjax[notebooks] @ git+{repository}"
"""


def github(pyproject: str) -> str | None:
    """`https://github.com/OWNER/NAME` if that is the project's repository, else None.

    pyproject: the text of pyproject.toml.
    """
    urls = tomllib.loads(pyproject).get("project", {}).get("urls", {})
    found = re.fullmatch(
        r"https://github\.com/([\w.-]+)/([\w.-]+?)(?:\.git)?/?", urls.get("Repository", "")
    )
    return f"https://github.com/{found[1]}/{found[2]}" if found else None


def front(pyproject: str, notebook: str) -> list[tuple[str, str]]:
    """The cells that come before a notebook's own, as `(kind, source)`.

    notebook: its file name without the ending, in the folder `notebooks`.
    """
    repository = github(pyproject)
    if repository is None:
        return []
    place = repository.removeprefix("https://github.com/")
    link = f"https://colab.research.google.com/github/{place}/blob/{BRANCH}/notebooks/{notebook}"
    return [
        ("markdown", f"[![Open in Colab]({BADGE})]({link}.ipynb)"),
        ("code", INSTALL.format(repository=repository).rstrip()),
    ]
