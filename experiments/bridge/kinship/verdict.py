"""The verdict of a cell, from its table of measures.

    same           recovery in both directions equivalent to 1 (margin 0.15), and the nats that both
                   hold of each statistic, through noise of 0.1, within 15 % of each other
    one-sided      one direction recovers, the other does not
    different      a recovery's interval lies below 0.85, or one kind holds more than twice as much
                   of a statistic, with the whole interval
    inconclusive   none of these
    unmatched      an agent or a model is not good enough for its memory to be compared

Recovery: (score with the other's state - score with an untrained one's) / (score with another seed
of its own kind - score with an untrained one's). Intervals: networks of all kinds are resampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from experiments.bridge.kinship.config import (
    KINDS,
    REGISTERED,
)
from experiments.bridge.kinship.measures import STATISTICS
from experiments.bridge.measures.competence import WORTH, faults_of_agent, faults_of_model
from experiments.bridge.measures.held import NOISES
from experiments.bridge.measures.nulls import Comparison, compare, equivalence
from experiments.results.store import Table

MARGIN, LEAST = 0.15, 0.85
RULED_NOISE = 0.1
DRAWS = 4000


class Interval(NamedTuple):
    """A number with its 95 % interval and its bootstrap draws."""

    low: float
    middle: float
    high: float
    draws: np.ndarray

    @property
    def plain(self) -> list[float]:
        return [round(float(x), 3) for x in self[:3]]


def interval(middle: float, draws: np.ndarray) -> Interval:
    draws = draws[np.isfinite(draws)]
    low, high = np.quantile(draws, [0.025, 0.975]) if len(draws) else (np.nan, np.nan)
    return Interval(float(low), float(middle), float(high), draws)


def rows(table: Table, **where: Any) -> dict[str, np.ndarray]:
    """The rows whose columns have these values."""
    chosen = np.ones(len(table["value"]), bool)
    for name, value in where.items():
        chosen &= table[name] == value
    return {name: column[chosen] for name, column in table.items()}


def by_seed(table: Table, what: str, of: str, kind: str) -> np.ndarray:
    """`[seeds]`, in the order of the seeds."""
    found = rows(table, what=what, of=of, kind=kind)
    return found["value"][np.argsort(found["seed"])]


def one(table: Table, what: str, of: str) -> float:
    return float(rows(table, what=what, of=of)["value"][0])


@dataclass(frozen=True)
class Competence:
    """Competence of the agents and models of a cell, means over seeds.

    agent: the return, 0 random play and 1 the reference. gain: the same with 0 the best player
    without memory; None where that is within 0.02 of the reference. model: nats per token above
    the floor; worth: the value of memory on the same scale.
    """

    agent: float
    gain: float | None
    model: float
    worth: float

    @property
    def faults(self) -> list[str]:
        """Why the cell cannot be compared, in words."""
        return faults_of_agent(self.agent, self.gain) + faults_of_model(self.model, self.worth)


def competence(table: Table) -> Competence:
    scale = {name: one(table, "scale", name) for name in ("random", "memoryless", "reference")}
    mean = by_seed(table, "return", "", "agent").mean()
    top = scale["reference"]
    apart = top - scale["memoryless"] > WORTH
    gain = (mean - scale["memoryless"]) / (top - scale["memoryless"]) if apart else None
    floor = one(table, "scale", "floor")
    return Competence(
        agent=float((mean - scale["random"]) / (top - scale["random"])),
        gain=None if gain is None else float(gain),
        model=float(by_seed(table, "nats", "", "model").mean() - floor),
        worth=one(table, "scale", "floor without memory") - floor,
    )


def exchanges(table: Table, host: str, donor: str) -> np.ndarray:
    """`[seeds, seeds]` scores of each host with each donor's state; NaN for its own."""
    found = rows(table, what="exchange", kind=host, donor=donor)
    seeds = np.unique(rows(table, what="exchange", kind=host)["seed"])
    matrix = np.full((len(seeds), len(seeds)), np.nan)
    at = np.searchsorted(seeds, found["seed"]), np.searchsorted(seeds, found["other"])
    matrix[at] = found["value"]
    np.fill_diagonal(matrix, np.nan)
    return matrix


def recovery(table: Table, host: str, seed: int = 0) -> Interval:
    """Recovery of a host with the other kind's state: 0 as with an untrained network's, 1 as with
    that of another seed of its own kind."""
    donor = "model" if host == "agent" else "agent"
    theirs, own, null = (exchanges(table, host, kind) for kind in (donor, host, "untrained"))
    size, draw = len(own), np.random.default_rng(seed)

    def mean(matrix, hosts, donors):
        picked = matrix[hosts[:, :, None], donors[:, None, :]]
        return np.nanmean(picked, axis=(1, 2))

    everyone = np.arange(size)[None]
    ratio = []
    for repetitions in (1, DRAWS):
        hosts = everyone if repetitions == 1 else several(draw, size, repetitions)
        donors = [
            everyone if repetitions == 1 else several(draw, size, repetitions) for _ in range(2)
        ]
        low = mean(null, hosts, donors[1])
        high = mean(own, hosts, hosts)
        ratio.append((mean(theirs, hosts, donors[0]) - low) / (high - low))
    return interval(ratio[0][0], ratio[1])


def several(draw: np.random.Generator, size: int, repetitions: int) -> np.ndarray:
    """Bootstrap draws with at least two distinct networks."""
    found = draw.integers(size, size=(repetitions, size))
    while size > 1 and (alone := (found == found[:, :1]).all(axis=1)).any():
        found[alone] = draw.integers(size, size=(int(alone.sum()), size))
    return found


def held_ratio(table: Table, who: str, noise: float = RULED_NOISE, seed: int = 0) -> Interval:
    """Nats that agents hold of a statistic over those that models do."""
    agent, model = (by_seed(table, f"held {noise:g}", who, kind) for kind in ("agent", "model"))
    draw = np.random.default_rng(seed)
    a = agent[several(draw, len(agent), DRAWS)].mean(axis=1)
    b = model[several(draw, len(model), DRAWS)].mean(axis=1)
    least = 0.01 * one(table, "known", who)  # 0 / 0 is meaningless
    return interval(
        max(agent.mean(), least) / max(model.mean(), least),
        np.maximum(a, least) / np.maximum(b, least),
    )


@dataclass(frozen=True)
class Verdict:
    """The result of one cell. to_agent: recovery of agents with models' states, to_model: the
    reverse. ratios: by statistic, nats held by agents over nats held by models. p: of the
    equivalence tests, the larger of both directions."""

    env: str
    memory: str
    verdict: str
    competence: Competence
    to_agent: Interval
    to_model: Interval
    ratios: dict[str, Interval]
    p: float

    @property
    def registered(self) -> str:
        return REGISTERED[self.env.removesuffix("Easy")]

    @property
    def directions(self) -> dict[str, str]:
        """Whether each direction recovers: "yes", "no" or "open"."""
        return {name: recovers(getattr(self, name)) for name in ("to_agent", "to_model")}


def recovers(found: Interval) -> str:
    """
    >>> low = np.linspace(0.0, 0.5, 100)
    >>> recovers(interval(0.25, low)), recovers(interval(1.0, 0.9 + low / 4))
    ('no', 'yes')
    """
    if np.isnan(found.low):
        return "open"
    if found.low >= LEAST:
        return "yes"
    return "no" if found.high < LEAST else "open"


def verdict(env: str, memory: str, table: Table) -> Verdict:
    """By the rules above."""
    skill = competence(table)
    to_agent, to_model = recovery(table, "agent"), recovery(table, "model")
    ratios = {who: held_ratio(table, who) for who in STATISTICS}
    p = max(
        equivalence(found.draws, margin=MARGIN) if len(found.draws) else 1.0
        for found in (to_agent, to_model)
    )
    return Verdict(
        env,
        memory,
        "unmatched" if skill.faults else decide(to_agent, to_model, list(ratios.values()), p),
        skill,
        to_agent,
        to_model,
        ratios,
        p,
    )


def decide(to_agent: Interval, to_model: Interval, ratios: list[Interval], p: float) -> str:
    """The verdict of networks that may be compared.

    >>> near, none = interval(1.0, np.linspace(0.95, 1.05, 99)), interval(0.1, np.linspace(0, 0.2))
    >>> decide(near, near, [near], 0.01), decide(near, none, [near], 1.0)
    ('same', 'one-sided')
    >>> decide(none, none, [near], 1.0), decide(near, near, [none], 0.01)
    ('different', 'different')
    """
    ways = [recovers(to_agent), recovers(to_model)]
    close = all(1 - MARGIN <= r.middle <= 1 / (1 - MARGIN) for r in ratios)
    apart = any(r.high < 0.5 or r.low > 2 for r in ratios)
    if p < 0.05 and close:
        return "same"
    if sorted(ways) == ["no", "yes"]:
        return "one-sided"
    if "no" in ways or apart:
        return "different"
    return "inconclusive"


def similarity_of(table: Table, measure: str = "CKA") -> Comparison:
    """Agents beside models, with null and ceiling."""
    found = rows(table, what="alike", of=measure)
    seeds = np.unique(found["seed"])
    size = len(seeds)

    def place(kinds, numbers):
        return np.array([KINDS.index(k) for k in kinds]) * size + np.searchsorted(seeds, numbers)

    matrix = np.full((3 * size, 3 * size), np.nan)
    at = place(found["kind"], found["seed"]), place(found["donor"], found["other"])
    matrix[at] = found["value"]
    for i in range(3 * size):  # networks with the same init are no pair
        for j in range(3 * size):
            if i % size == j % size:
                matrix[i, j] = np.nan
    groups = [range(k * size, (k + 1) * size) for k in range(3)]
    return compare(matrix, *groups)


def record(found: Verdict, table: Table, spec: dict[str, Any]) -> dict[str, Any]:
    """The cell as plain data, see `popjax bridge kinship --show --format json`."""
    likeness = similarity_of(table)

    def kinds_of(what, of):
        return [round(float(by_seed(table, what, of, kind).mean()), 4) for kind in KINDS]

    return {
        "env": found.env,
        "memory": found.memory,
        "registered": found.registered,
        "verdict": found.verdict,
        "faults": found.competence.faults,
        "agent": round(found.competence.agent, 4),
        "gain": None if found.competence.gain is None else round(found.competence.gain, 4),
        "model": round(found.competence.model, 5),
        "worth": round(found.competence.worth, 5),
        "recovery_to_agent": found.to_agent.plain,
        "recovery_to_model": found.to_model.plain,
        "equivalence_p": round(found.p, 4),
        "held": {
            who: {f"{noise:g}": kinds_of(f"held {noise:g}", who) for noise in NOISES}
            | {
                "known": round(one(table, "known", who), 4),
                "variance": kinds_of("variance", who),
                "network": kinds_of("network 0.1", who),
                "linear": kinds_of("linear 0.1", who),
            }
            for who in STATISTICS
        },
        "alike": [round(float(x), 3) for x in likeness.likeness[:3]],
        "forgetting": {kind: round(forgotten(table, kind), 4) for kind in KINDS},
        "distinction": {
            name: {
                who: [
                    round(float(value.mean()), 3) if len(value) else None
                    for value in (
                        by_seed(table, f"{name} apart", who, kind) for kind in ("agent", "model")
                    )
                ]
                for who in STATISTICS
            }
            for name in ("equal", "different")
        },
        "seeds": len(by_seed(table, "return", "", "agent")),
        "spec": spec,
    }


def forgotten(table: Table, kind: str) -> float:
    """Total nats of earlier cards that a kind holds, over all lags, a mean over its networks."""
    found = rows(table, what="retained", kind=kind)
    return float(np.maximum(found["value"], 0).sum() / len(np.unique(found["seed"])))
