"""Measured figures in a JSON file: entries by environment and kind of player, one a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Entries = dict[str, dict[str, dict[str, Any]]]


def read_entries(path: Path) -> Entries:
    """What `write_entries` wrote."""
    return json.loads(path.read_text("utf-8"))


def write_entries(path: Path, entries: Entries) -> None:
    """Keeps the order, so that a changed figure is one changed line.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "entries.json")
    >>> write_entries(path, {"RepeatFirstEasy": {"random": {"mean": -0.5}}})
    >>> read_entries(path)
    {'RepeatFirstEasy': {'random': {'mean': -0.5}}}
    """
    lines = []
    for env_id, known in entries.items():
        kinds = (f"    {json.dumps(kind)}: {json.dumps(entry)}" for kind, entry in known.items())
        lines.append(f"  {json.dumps(env_id)}: {{\n" + ",\n".join(kinds) + "\n  }")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
