"""Builds the documentation site from the README, the pages beside the notebooks, the notebooks and
the docstrings.

    python notebooks/site/build.py            writes notebooks/site/html

Nothing is written by hand here: `pages` is regenerated each time. A page that cannot be built, or a
link that leads nowhere, ends with exit code 1.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import jupytext

SITE = Path(__file__).resolve().parent
ROOT = SITE.parents[1]
PAGES = SITE / "pages"
HIDDEN = {"__init__", "__main__"}
PACKAGES = {
    "popjax": "The benchmark: environments, players, floors, tokens, pictures, adapters.",
    "agents": "Memory models, networks, PPO, language models and the objectives between.",
    "experiments": "Commands, studies, searches, reports, and experiments that compare the two.",
}


def write(name: str, text: str) -> None:
    path = PAGES / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def words(path: Path) -> str:
    """A Markdown page, with its pictures and links as the site has them."""
    text = path.read_text(encoding="utf-8")
    for picture in re.findall(r"\]\(([\w./-]+\.(?:png|svg))\)", text):
        target = PAGES / "pictures" / Path(picture).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path.parent / picture, target)
        text = text.replace(f"]({picture})", f"](pictures/{target.name})")
    text = re.sub(r"\]\((?:notebooks/)?(\d_\w+)\.(?:ipynb|py)\)", r"](notebooks/\1.md)", text)
    return re.sub(r"\]\(notebooks/([a-z]+\.md)\)", r"](\1)", text)


def notebook(path: Path) -> str:
    """A notebook as a page: its text and its code."""
    return jupytext.writes(jupytext.read(path), "md").split("---\n")[-1]


def api(package: str) -> str:
    """All public modules of a package, from their docstrings."""
    parts = [f"# {package}", PACKAGES[package]]
    for path in sorted((ROOT / package).rglob("*.py")):
        module = path.relative_to(ROOT).with_suffix("")
        if module.name in HIDDEN or any(part.startswith(("_", "node_")) for part in module.parts):
            continue
        parts.append(f"::: {'.'.join(module.parts)}")
    return "\n\n".join(parts) + "\n"


def main() -> int:
    shutil.rmtree(PAGES, ignore_errors=True)
    write("index.md", words(ROOT / "README.md"))
    for path in sorted(SITE.parent.glob("*.md")):
        write(path.name, words(path))
    for path in sorted(SITE.parent.glob("[0-9]_*.py")):
        write(f"notebooks/{path.stem}.md", notebook(path))
    for package in PACKAGES:
        write(f"api/{package}.md", api(package))
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    return subprocess.run(command, cwd=SITE).returncode


if __name__ == "__main__":
    sys.exit(main())
