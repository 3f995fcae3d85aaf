"""From the tables of `experiments.bridge.same_deck.study` to the numbers of figures and
verdicts."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

from experiments.bridge.measures.nulls import Comparison, Likeness, compare, over_networks
from experiments.bridge.measures.overlap import CAUSAL, deck_of, exact
from experiments.bridge.measures.questions import held_by_counts, in_one
from experiments.bridge.same_deck.config import (
    KINDS,
    LEAST_COMPETENCE,
    MOST_EXCESS,
    UNTRAINED,
    SameDeckConfig,
)
from experiments.bridge.same_deck.measures import STATISTICS
from experiments.results.store import Table
from popjax.core import Environment

Part = tuple[str, str]
ENOUGH = 4
"""Least networks per kind: with 4 and 4 the least two-sided p is 2 / 70, with 3 and 3 it is 0.1."""
LEAST_RANK = 0.8
"""The least rank correlation at which memory is judged to follow need."""
PAIRS = (
    ("verdict", "LM"), ("label", "LM"), ("verdict", "label"), ("rewards", "LM"), ("sum", "LM"),
    ("both", "LM"), ("both", "label"), ("rewards", "verdict"), ("sum", "rewards"),
)  # fmt: skip


@dataclass(frozen=True)
class Summary:
    """All tables of a study with its settings. rates: tuning runs."""

    setup: SameDeckConfig
    curves: dict[Part, Table]
    tables: dict[Part, Table]
    rates: dict[Part, Table] = field(default_factory=dict)

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The kinds that are compared with one another."""
        return [pair for pair in PAIRS if set(pair) <= set(self.setup.kinds)]

    def having(self, name: str) -> list[str]:
        """The tasks with this measurement."""
        return [task for task in self.setup.tasks if (task, name) in self.tables]

    @property
    def suits(self) -> list[str]:
        """The games of one deck in which acting needs cards in order."""
        ordered = self.having("ordered")
        return [task for task in ordered if deck_of(self.setup.env(task)).listed]

    def last(self, task: str, kind: str, column: str) -> Float[np.ndarray, " seeds"]:
        """Competence of each seed at the end of training."""
        return self.curves[self.setup.cell(task, kind)][column][-self.setup.seeds :]

    def competent(self, task: str, kind: str) -> np.ndarray:
        """`[seeds]` bool, whether it may be compared."""
        says, enough = KINDS[kind].says, np.ones(self.setup.seeds, bool)
        if "token" in says:
            enough = enough & (self.last(task, kind, "raw") <= MOST_EXCESS)
        if "action" in says:
            enough = enough & (self.last(task, kind, "competence") >= LEAST_COMPETENCE)
        return enough

    def kept(self, task: str, kind: str) -> np.ndarray:
        """The seeds of a kind that are compared: the competent ones, of untrained networks and of
        exact rules all."""
        if kind not in KINDS:
            return np.arange(self.setup.seeds)
        if kind not in self.setup.kinds:
            return np.arange(0)
        return np.flatnonzero(self.competent(task, kind))

    def matched(self, task: str, *kinds: str) -> bool:
        """Whether each kind has enough competent networks to detect a difference."""
        return all(len(self.kept(task, kind)) >= ENOUGH for kind in kinds)

    def unmatched(self, *kinds: str) -> list[str]:
        """The tasks in which any of these kinds has too few competent networks."""
        return [task for task in self.setup.tasks if not self.matched(task, *kinds)]

    def predicted(self, task: str, kind: str, who: str) -> float:
        """The share of a statistic that a minimal network for the objective holds."""
        env = self.setup.env(task)
        if who in KINDS[kind].needs or overlap_of(env) == "equal":
            return 1.0
        if not in_one(env, who):
            return held_by_counts(env, self.setup.times(task))
        overlap, deck = exact(env), deck_of(env)
        at = [t + 1 - deck.steps[0] for t in self.setup.times(task)]
        at = [i for i in at if 0 <= i < len(overlap.shared)]
        of = overlap.of_rl if who == "rl" else overlap.of_lm
        return float(overlap.shared[at].sum() / of[at].sum())

    def share(
        self, task: str, kind: str, who: str, noise: float = 0.0
    ) -> Float[np.ndarray, " seeds"]:
        """Uhat: the share of a statistic that a linear probe finds through so much noise, over all
        steps probed, of the networks that are compared."""
        table = self.tables[task, "probed"]
        rows = (table["kind"] == kind) & (table["who"] == who) & (table["noise"] == noise)
        seeds = [rows & (table["seed"] == seed) for seed in self.kept(task, kind)]
        return np.array([table["held"][s].sum() / table["entropy"][s].sum() for s in seeds])

    def points(self, noise: float = 0.0) -> list[tuple[str, str, str, float, np.ndarray]]:
        """Task, kind, statistic, predicted overlap, and each seed's measured one, where enough
        networks are competent."""
        return [
            (task, kind, who, self.predicted(task, kind, who), self.share(task, kind, who, noise))
            for task in self.setup.tasks
            for kind in self.setup.kinds
            if self.matched(task, kind)
            for who in STATISTICS
        ]

    def matrix(
        self, task: str, measure: str = "CKA", version: str = "residual", name: str = "alike"
    ) -> np.ndarray:
        """`[networks, networks]`, in the order of `setup.all`. Networks of one seed share their
        initial weights, a different source of similarity: their pairs are NaN."""
        table = self.tables[task, name]
        rows = (table["measure"] == measure) & (table["version"] == version)
        n, seeds = len(self.setup.all) * self.setup.seeds, self.setup.seeds
        matrix = np.full((n, n), np.nan)
        matrix[table["i"][rows], table["j"][rows]] = table["value"][rows]
        i, j = np.indices((n, n))
        matrix[(i % seeds == j % seeds) & (i != j)] = np.nan
        return matrix

    def places(self, kind: str) -> range:
        """Indices of a kind in the matrix."""
        first = self.setup.all.index(kind) * self.setup.seeds
        return range(first, first + self.setup.seeds)

    def likeness(self, task: str, a: str, b: str, *version: str) -> Comparison:
        """NS of two kinds, of the networks that are compared."""
        if not self.matched(task, a, b):
            return Comparison(Likeness(*[np.nan] * 4), np.nan, np.nan, 1.0, 1.0)
        kinds = (a, b, UNTRAINED)
        places = [self.places(kind)[0] + self.kept(task, kind) for kind in kinds]
        return compare(self.matrix(task, *version), *places)

    def by_seed(self, task: str, name: str, column: str, **where) -> Float[np.ndarray, " seeds"]:
        """One column of a table, where others are as given, in the order of the seeds that are
        compared. A donor has the next seed after its host's."""
        table = self.tables[task, name]
        rows = np.ones(len(table[column]), bool)
        for key, value in where.items():
            rows &= table[key] == value
            if key in ("kind", "host", "donor"):
                after = key == "donor" and value != (name == "exchanged" and where["host"])
                seed = (table["seed"] + after) % self.setup.seeds
                rows &= np.isin(seed, self.kept(task, str(value)))
        return table[column][rows][np.argsort(table["seed"][rows], kind="stable")]

    def retention(self, task: str, kind: str) -> tuple[int, Float[np.ndarray, "seeds lags"]]:
        """At which step, and nats by lag."""
        table = self.tables[task, "retained"]
        held = table["held"][table["kind"] == kind].reshape(self.setup.seeds, -1)
        return int(table["t"][0]), held[self.kept(task, kind)]


def overlap_of(env: Environment) -> str:
    """How what acting needs and what predicting needs relate."""
    return "equal" if env.name in CAUSAL else exact(env).kind


@dataclass(frozen=True)
class Followed:
    """How measured overlap follows predicted overlap, over `number` points with a predicted one
    below 1. Intervals are 95 %, networks resampled within each kind. rank: Spearman's, of the
    means; p: two-sided, of a permutation test."""

    number: int
    slope: tuple[float, float, float]
    rank: tuple[float, float, float]
    p: float

    @property
    def by_rank(self) -> bool:
        return self.p < 0.05 and self.rank[0] > LEAST_RANK

    @property
    def in_size(self) -> bool:
        """Whether the slope's interval contains 1 and the rank correlation is significant."""
        return self.p < 0.05 and self.slope[1] <= 1 <= self.slope[2]


def free(points: list[tuple]) -> list[tuple]:
    """Points with a predicted overlap below 1. The others cannot test the hypothesis: a competent
    network has what its objective needs."""
    return [point for point in points if point[3] < 0.999]


def followed(points: list[tuple], repetitions: int = 2000, seed: int = 0) -> Followed:
    """The fit over the `free` points, at least three."""
    points = free(points)
    predicted = np.array([p[3] for p in points])
    means = np.array([p[4].mean() for p in points])
    generator = np.random.default_rng(seed)

    def slope(values: Float[np.ndarray, "R points"]) -> Float[np.ndarray, " R"]:
        return np.polyfit(predicted, values.T, 1)[0]

    def rank(values: Float[np.ndarray, "R points"]) -> Float[np.ndarray, " R"]:
        a, b = (rankdata(x, axis=-1) for x in (predicted, values))
        a, b = (x - x.mean(axis=-1, keepdims=True) for x in (a, b))
        return b @ a / np.sqrt((a @ a) * np.sum(b * b, axis=-1))

    drawn = {p[:2]: generator.integers(len(p[4]), size=(repetitions, len(p[4]))) for p in points}
    redrawn = np.stack([p[4][drawn[p[:2]]].mean(axis=1) for p in points], axis=1)
    (found,) = rank(means[None])
    dealt = rank(generator.permuted(np.tile(means, (repetitions, 1)), axis=1))
    as_far = np.sum(np.abs(dealt) >= abs(found) - 1e-12)

    def with_interval(of) -> tuple[float, float, float]:
        (here,) = of(means[None])
        return float(here), *np.quantile(of(redrawn), [0.025, 0.975]).tolist()

    return Followed(
        len(points),
        with_interval(slope),
        with_interval(rank),
        float((1 + as_far) / (1 + repetitions)),
    )


def format_interval(values: np.ndarray, digits: int = 2) -> str:
    """A mean over seeds with its interval, if there are any.

    >>> format_interval(np.array([0.5, 0.5]))
    '0.50 [0.50, 0.50]'
    """
    if not len(values):
        return "unmatched"
    return "{:.{d}f} [{:.{d}f}, {:.{d}f}]".format(*over_networks(values), d=digits)
