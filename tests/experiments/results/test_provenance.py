"""Which sources trained a result: the commit, and whether the sources differed from it."""

import subprocess
from importlib.metadata import version

from experiments.results.provenance import ROOT, SOURCES, commit


def git(root, *words):
    name = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", root, *name, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def checkout(root):
    for name in ("train/run.py", "results/published/kept.json"):
        path = root / "experiments" / name
        path.parent.mkdir(parents=True)
        path.write_text("1")
    git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "feat: a start")
    return git(root, "rev-parse", "HEAD")


def test_the_commit_and_whether_the_sources_differ(tmp_path):
    none, clean, kept, changed, plain = (tmp_path / name for name in "abcde")
    assert commit(none) == version("popjax")  # nothing there
    plain.mkdir()
    assert commit(plain) == version("popjax")  # no checkout
    for root, file, says in (
        (clean, "notes.txt", ""),  # not one of the sources
        (kept, "experiments/results/published/kept.json", ""),  # a result was added
        (changed, "experiments/train/run.py", "-dirty"),
    ):
        head = checkout(root)
        (root / file).write_text("2")
        assert commit(root) == head + says


def test_it_looks_where_the_sources_lie():
    assert all((ROOT / name).is_dir() for name in SOURCES[:3])
