"""A study as text for other programs: Markdown, CSV, JSON."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.reports.aggregates import aggregates
from experiments.reports.tables import (
    agent_notes,
    agents_of,
    cost_sheet,
    known_figures,
    model_notes,
    models_of,
)
from experiments.reports.terminal import result_sheets
from experiments.results.study import Row, labels
from experiments.results.tables import markdown
from popjax import scores


def as_markdown(study: str, rows: Sequence[Row]) -> str:
    """The tables of the terminal and that of the costs."""
    sheets = [*result_sheets(study, list(rows)), cost_sheet(study, rows)]
    return "\n".join(markdown(sheet) for sheet in sheets)


def as_csv(study: str, rows: Sequence[Row]) -> str:
    """One line per cell and seed; what is not known is empty."""
    named = zip(rows, labels(rows), strict=True)
    lines = [line for row, label in named for line in _seeds(row, label)]
    names = list(dict.fromkeys(name for line in lines for name in line))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    for line in lines:
        writer.writerow({name: _plain(value) for name, value in line.items()})
    return file.getvalue()


def as_json(study: str, rows: Sequence[Row]) -> str:
    """Cells with one number a seed, what is known of their tasks, and the aggregates."""
    cells = [
        {
            "env": row.spec.env,
            "memory": row.spec.memory,
            "regime": row.spec.regime,
            "label": label,
            "seeds": _seeds(row, label),
            "known": scores.scores(row.spec.env),
            "summary": row.summary,
            **row.record,
        }
        for row, label in zip(rows, labels(rows), strict=True)
    ]
    found = [
        {
            "label": one.who,
            "environments": list(one.strata),
            **{
                name: dataclasses.asdict(value) if value else None
                for name, value in (("iqm", one.iqm), ("gap", one.gap), ("better", one.better))
            },
        }
        for one in aggregates(agents_of(rows))
    ]
    agents, models = agents_of(rows), models_of(rows)
    notes = [*agent_notes(agents), *model_notes(models)]
    record = {"study": study, "cells": cells, "aggregates": found}
    record["notes"] = notes
    return json.dumps(_plain(record), indent=1, allow_nan=False) + "\n"


AS_TEXT = {"md": as_markdown, "csv": as_csv, "json": as_json}


def _seeds(row: Row, label: str) -> list[dict[str, Any]]:
    lines = []
    for i, seed in enumerate(row.spec.seeds):
        line = {"env": row.spec.env, "memory": row.spec.memory, "regime": row.spec.regime}
        line |= {"label": label, "seed": seed, "steps": row.spec.env_steps // len(row.spec.seeds)}
        line["diverged"] = str(seed) in row.summary["diverged"]
        if row.final is not None:
            line |= {"final": row.final[i], "greedy": row.greedy[i], "mmer": row.mmer[i]}
            line["normalised"] = scores.normalise(row.spec.env, row.final[i])
            line["memory_gain"] = scores.memory_gain(row.spec.env, row.final[i])
        if row.tokens is not None:
            line |= row.tokens[i]
        known = known_figures(row.spec.env)
        lines.append(line | {name.replace(" ", "_"): value for name, value in known.items()})
    return lines


def _plain(value: Any) -> Any:
    """As JSON knows it: Python's own numbers, and null for what is none."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, np.generic | np.ndarray):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
