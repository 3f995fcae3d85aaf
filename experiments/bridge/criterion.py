"""When each seed reaches a competence level, and how much later than with other feedback."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Cell = tuple[str, str]


def first_reached(
    axis: Float[np.ndarray, "seeds looks"], competence: Float[np.ndarray, "seeds looks"], level
) -> Float[np.ndarray, " seeds"]:
    """Where on an axis each seed first reaches a competence, interpolated linearly between
    evaluations; infinity if it never does.

    >>> axis, competence = np.array([[0.0, 10.0, 20.0]]), np.array([[0.0, 0.4, 0.8]])
    >>> first_reached(axis, competence, 0.5).item(), first_reached(axis, competence, 0.9).item()
    (12.5, inf)
    """
    reached = []
    for x, y in zip(axis, competence, strict=True):
        i = np.argmax(y >= level)
        if y[i] < level:
            reached.append(np.inf)
        elif i == 0:
            reached.append(x[0])
        else:
            reached.append(np.interp(level, y[i - 1 : i + 1], x[i - 1 : i + 1]))
    return np.array(reached)


def slowdown(choices: int, p: float) -> float:
    """How much longer verdicts take than labels to raise the right one of `choices` answers to
    probability p, without noise: gradient flow on the logits of a softmax that starts uniform.

    A label moves p at the speed p (1 - p)^2, a verdict at p times that.

    >>> [round(slowdown(K, 0.5), 1) for K in (4, 9, 17, 27, 64)]
    [2.8, 4.1, 5.8, 7.7, 13.9]
    """

    def label(p):
        return math.log(p / (1 - p)) + 1 / (1 - p)

    def verdict(p):
        return 2 * math.log(p / (1 - p)) + 1 / (1 - p) - 1 / p

    return (verdict(p) - verdict(1 / choices)) / (label(p) - label(1 / choices))


@dataclass(frozen=True)
class Reached:
    """When the seeds of each cell reach one level, on one axis. limit: where each cell ended."""

    at: dict[Cell, Float[np.ndarray, " seeds"]]
    limit: dict[Cell, float]

    def everywhere(self, cell: Cell) -> bool:
        return bool(np.isfinite(self.at[cell]).all())

    def mean(self, cell: Cell) -> float:
        """Geometric mean over seeds; a seed that never reaches the level counts with its limit."""
        return float(np.exp(self._logs(cell).mean()))

    def ratio(self, over: Cell, under: Cell, repetitions: int = 4000) -> tuple[float, float, float]:
        """Ratio of the means with a 95 % interval: the seeds of both cells are resampled."""
        generator = np.random.default_rng(0)

        def redrawn(cell):
            logs = self._logs(cell)
            return logs[generator.integers(len(logs), size=(repetitions, len(logs)))].mean(axis=1)

        low, high = np.quantile(np.exp(redrawn(over) - redrawn(under)), [0.025, 0.975])
        return self.mean(over) / self.mean(under), float(low), float(high)

    def _logs(self, cell: Cell) -> Float[np.ndarray, " seeds"]:
        return np.log(np.minimum(self.at[cell], self.limit[cell]))


def short(number: float) -> str:
    """A number with three significant figures.

    >>> short(1234567.0), short(54321.0), short(43.2)
    ('1.23M', '54.3k', '43.2')
    """
    for unit, word in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{word}"
    return f"{number:.3g}"


def reached(
    curves: dict[Cell, dict[str, np.ndarray]], axis: str, level: float, of: str = "competence"
) -> Reached:
    """When each seed of each cell first reaches a level of one column on an axis."""
    return Reached(
        {cell: first_reached(c[axis], c[of], level) for cell, c in curves.items()},
        {cell: float(c[axis][:, -1].mean()) for cell, c in curves.items()},
    )
