"""The outcome of each hypothesis, from its interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Outcome = Literal["holds", "fails", "inconclusive"]


@dataclass(frozen=True)
class Finding:
    """The result for one hypothesis.

    name: "H2a". claim: the prediction. found: the measurement, with its interval.
    outcome: whether the claim holds, fails, or is inconclusive.
    primary: the one endpoint of the experiment; all others are exploratory.
    """

    name: str
    claim: str
    found: str
    outcome: Outcome
    primary: bool = False


def outcome_of(low: float, high: float, least: float, most: float) -> Outcome:
    """The outcome of the claim that a number lies between two others, from its interval.

    >>> outcome_of(1.1, 1.4, 1.0, 2.0), outcome_of(2.1, 3.0, 1.0, 2.0), outcome_of(1.9, 2.1, 1, 2)
    ('holds', 'fails', 'inconclusive')
    """
    if least <= low and high <= most:
        return "holds"
    return "fails" if high < least or low > most else "inconclusive"


def all_of(outcomes: list[str]) -> str:
    """Holds if all hold, fails if any fails."""
    if "fails" in outcomes:
        return "fails"
    return "holds" if outcomes and set(outcomes) == {"holds"} else "inconclusive"
