"""Results of the flagship experiments: the numbers that the page, the README and
`notebooks/experiments.md` state.

`reported.json` has one record for each experiment, under the last word of its command: `settings`,
the settings that a text may name, and `findings`, the point estimates (percentages as such). Update
the file after rerunning an experiment; the page's texts are filled from it, and
`tests/experiments/bridge/test_reported.py` compares the other texts with it.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("reported.json")


@functools.cache
def _table() -> dict[str, dict[str, dict[str, float]]]:
    return json.loads(TABLE.read_text(encoding="utf-8"))


def experiments() -> list[str]:
    """The experiments that have results."""
    return list(_table())


def findings(experiment: str) -> dict[str, Any]:
    """The results of an experiment, by name.

    >>> findings("verdict")["price_most"]
    8.2
    """
    return dict(_table()[experiment]["findings"])


def numbers(experiment: str) -> dict[str, Any]:
    """The numbers that a text about an experiment may state: results and settings.

    >>> numbers("verdict")["most_suits"], numbers("verdict")["nats_factor"]
    (8, 2.4)
    """
    return findings(experiment) | _table()[experiment]["settings"]


def fill(text: str, experiment: str) -> str:
    """The text with the numbers in place of their names.

    >>> fill("{price_most} times as many with {most_suits} suits", "verdict")
    '8.2 times as many with 8 suits'
    """
    return text.format(**numbers(experiment))
