"""What a study was run with: settings, versions, machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.results.study import Row, flat
from experiments.results.tables import Column, Sheet, counted

COLUMNS = (Column("setting"), Column("value"))


def facts_of(rows: Sequence[Row], missing: int = 0) -> str:
    """The size of a study in one line. missing: cells without a result."""
    envs = {row.spec.env for row in rows}
    memories = {row.spec.memory for row in rows}
    seeds = sorted({len(row.spec.seeds) for row in rows})
    counts = [
        (f"{len(rows):,} of " if missing else "") + counted(len(rows) + missing, "cell"),
        counted(len(envs), "environment"),
        counted(len(memories), "memory", "memories"),
        " or ".join(map(str, seeds)) + (" seed each" if seeds == [1] else " seeds each"),
        *sorted({row.record["device"] for row in rows}),
        *sorted({f"jax {row.record['versions']['jax']}" for row in rows}),
    ]
    return " · ".join(counts)


def configuration_sheets(asked: dict[str, Any], rows: Sequence[Row]) -> list[Sheet]:
    """What was asked for, the settings of the cells, and the machines; what differs from cell to
    cell with all its values."""
    settings = [flat(row.record["spec"]["settings"]) for row in rows]
    machines = [flat({k: v for k, v in row.record.items() if k != "spec"}) for row in rows]
    return [
        _sheet("asked", "What was asked for", [asked]),
        _sheet("settings", "Settings of the cells", settings),
        _sheet("machine", "Versions and machine", machines),
    ]


def unfinished_sheets(cells: Sequence[tuple[str, str]]) -> list[Sheet]:
    """The cells that have no result, if there are any."""
    if not cells:
        return []
    columns = (Column("cell"), Column("last failure"))
    lines = [
        {"cell": name, "last failure": why or "none: not run to its end"} for name, why in cells
    ]
    title = f"{counted(len(cells), 'cell')} not finished, and so not in this report"
    return [Sheet("unfinished", title, columns, lines)]


def _sheet(name: str, title: str, records: Sequence[dict[str, Any]]) -> Sheet:
    keys = dict.fromkeys(key for record in records for key in record)
    lines = []
    for key in keys:
        values = dict.fromkeys(str(record[key]) for record in records if key in record)
        lines.append({"setting": key, "value": " | ".join(values)})
    return Sheet(name, title, COLUMNS, lines)
