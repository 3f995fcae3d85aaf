"""The gate: is a network good enough at its own task for its memory to be compared?

An agent needs 0.95 of the return between random play and the reference player and, where the best
player without memory is clearly below the reference, 0.7 of that gap. A language model may exceed
the exact floor by at most a tenth of the value of memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from popjax import scores
from popjax.floors.table import floor

LEAST_RETURN = 0.95
"""The share of the return between random play and the reference that an agent needs."""
LEAST_GAIN, WORTH = 0.7, 0.02
"""The share of the gap between the best player without memory and the reference that an agent
needs, where that gap is at least `WORTH`."""
MOST_EXCESS = 0.1
"""The share of the value of memory, in nats, that a model may exceed the floor by."""


def faults_of_agent(scaled: float, gain: float | None) -> list[str]:
    """What an agent lacks, in words. scaled: its return, 0 random play and 1 the reference. gain:
    the same with 0 the best player without memory, None where memory is worth nothing.

    >>> faults_of_agent(0.97, 0.5)
    ['agent 0.50 of the value of memory, 0.7 needed']
    """
    faults = []
    if scaled < LEAST_RETURN:
        faults.append(f"agent {scaled:.2f} of the scale, {LEAST_RETURN} needed")
    if gain is not None and gain < LEAST_GAIN:
        faults.append(f"agent {gain:.2f} of the value of memory, {LEAST_GAIN} needed")
    return faults


def faults_of_model(excess: float, worth: float) -> list[str]:
    """What a language model lacks, in words. excess: nats a token above the floor. worth: nats a
    token that memory saves.

    >>> faults_of_model(0.02, 0.1)
    ['model 0.20 of the value of memory above the floor, limit 0.1']
    """
    if excess <= MOST_EXCESS * worth:
        return []
    return [
        f"model {excess / worth:.2f} of the value of memory above the floor, limit {MOST_EXCESS}"
    ]


@dataclass(frozen=True)
class Skill:
    """How good a network is, in words, and what it lacks. faults: None where there is no scale to
    judge it by."""

    words: str
    faults: list[str] | None

    @property
    def outcome(self) -> str:
        if self.faults is None:
            return "no gate is known"
        return "; ".join(self.faults) or "passes"


def skill_of_agent(env_id: str, mean: float) -> Skill:
    """Of a mean return in one of the registered environments."""
    known = scores.scores(env_id)
    if not set(known) >= scores.SCALE:
        return Skill(f"return {mean:.3f}", None)
    scale = {name: known[name]["mean"] for name in scores.SCALE}
    scaled = float(scores.normalise(env_id, mean))
    apart = scale["reference"] - scale["memoryless"]
    gain = (mean - scale["memoryless"]) / apart if apart > WORTH else None
    words = f"return {mean:.3f}, {scaled:.3f} of the scale"
    return Skill(words, faults_of_agent(scaled, gain))


def skill_of_model(env_id: str, nats: float) -> Skill:
    """Of a mean loss in nats a token."""
    try:
        bound = floor(env_id)
    except ValueError:  # of one's own environment, or not measured
        return Skill(f"{nats:.4f} nats a token", None)
    if bound.without_memory is None:  # the floor depends on who plays
        return Skill(f"{nats:.4f} nats a token", None)
    excess, worth = nats - bound.nats_per_token, bound.without_memory - bound.nats_per_token
    words = f"{nats:.4f} nats a token, {excess:.4f} above the floor, where memory saves {worth:.4f}"
    return Skill(words, faults_of_model(excess, worth))
