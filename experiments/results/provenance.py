"""Where a result comes from, beside its spec: the sources and the processor that trained it."""

from __future__ import annotations

import functools
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("popjax", "agents", "experiments", ":(exclude)experiments/results/published")


@functools.cache
def commit(root: Path = ROOT) -> str:
    """The commit of the sources, `-dirty` if a tracked one of them differs from it; the version of
    popjax where there is no git checkout. Read once, when a process first needs it.

    >>> commit(Path("nowhere")) == version("popjax")
    True
    """
    # A checkout of something else that this installation lies in says nothing about it.
    if not (root / ".git").exists():
        return version("popjax")
    try:
        changed = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *SOURCES)
        return _git(root, "rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.SubprocessError):
        return version("popjax")


def _git(root: Path, *words: str) -> str:
    own = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "-C", str(root), "--no-optional-locks", *words]
    return subprocess.run(
        command, env=own, check=True, capture_output=True, text=True, timeout=20
    ).stdout.strip()


@functools.cache
def cpu_model() -> str | None:
    """The name of the processor, None if the system does not say."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or None
