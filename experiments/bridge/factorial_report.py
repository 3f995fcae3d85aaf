"""What the six cells say: when each gets there, what each edge of the square costs, and beside it
what theory says beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from agents.nats import label_nats
from agents.supervision import sum_nats, verdict_nats
from experiments.bridge.factorial import AXES, FEEDBACK, TARGETS, Curves, Setup
from experiments.bridge.tiny import SUITS

LEVELS = (0.5, 0.9)
TOKENS, NATS = AXES
Cell = tuple[str, str]


def first_reached(
    axis: Float[np.ndarray, "seeds looks"], competence: Float[np.ndarray, "seeds looks"], level
) -> Float[np.ndarray, " seeds"]:
    """Where on an axis each seed first has that competence, on straight lines between looks;
    infinity if it never has.

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
    """How much longer verdicts take than labels to give the right one of `choices` words the
    probability p, without noise: gradient flow on the logits of one softmax that begins uniform.

    A label moves p at the speed p (1 - p)^2, a verdict at p times that.

    >>> [round(slowdown(K, 0.5), 1) for K in (4, 9, 17, 27, 64)]
    [2.8, 4.1, 5.8, 7.7, 13.9]
    """

    def label(p):
        return math.log(p / (1 - p)) + 1 / (1 - p)

    def verdict(p):
        return 2 * math.log(p / (1 - p)) + 1 / (1 - p) - 1 / p

    return (verdict(p) - verdict(1 / choices)) / (label(p) - label(1 / choices))


def told_at_first(judged: int) -> dict[str, float]:
    """Nats a judged step that each kind of feedback tells a learner who believes nothing yet."""
    uniform = jnp.full(SUITS, -math.log(SUITS))
    right, counted = jnp.full((judged, 1), 1 / SUITS), jnp.ones((judged, 1), bool)
    nats = (label_nats(uniform), verdict_nats(uniform), sum_nats(right, counted)[0] / judged)
    return dict(zip(FEEDBACK, map(float, nats), strict=True))


def judged_steps(setup: Setup) -> dict[str, int]:
    """Of an episode, by target: there is no earlier card to name before k are out."""
    return dict(zip(TARGETS, (setup.env.max_steps, setup.env.num_cards - setup.k), strict=True))


@dataclass(frozen=True)
class Reached:
    """When the seeds of each cell reach one level, on one axis. limit: how far each cell went."""

    at: dict[Cell, Float[np.ndarray, " seeds"]]
    limit: dict[Cell, float]

    def everywhere(self, cell: Cell) -> bool:
        return bool(np.isfinite(self.at[cell]).all())

    def mean(self, cell: Cell) -> float:
        """Geometric mean over seeds; those that never get there count as far as they went."""
        return float(np.exp(self._logs(cell).mean()))

    def ratio(self, over: Cell, under: Cell, repetitions: int = 4000) -> tuple[float, float, float]:
        """Of the means, with a 95 % interval: the seeds of both cells are drawn anew."""
        generator = np.random.default_rng(0)

        def redrawn(cell):
            logs = self._logs(cell)
            return logs[generator.integers(len(logs), size=(repetitions, len(logs)))].mean(axis=1)

        low, high = np.quantile(np.exp(redrawn(over) - redrawn(under)), [0.025, 0.975])
        return self.mean(over) / self.mean(under), float(low), float(high)

    def _logs(self, cell: Cell) -> Float[np.ndarray, " seeds"]:
        return np.log(np.minimum(self.at[cell], self.limit[cell]))


def reached(curves: dict[Cell, Curves], axis: str, level: float) -> Reached:
    return Reached(
        {cell: first_reached(c[axis], c["competence"], level) for cell, c in curves.items()},
        {cell: float(c[axis][:, -1].mean()) for cell, c in curves.items()},
    )


def reading(tokens: Reached) -> str:
    """Which edge costs more, in one sentence. The diagonal is the product of its edges, on either
    way round the square; averaged over both ways, the edge of feedback is longer than that of the
    target by just the ratio of the two other corners."""
    feedback_only, target_only = (TARGETS[0], FEEDBACK[-1]), (TARGETS[1], FEEDBACK[0])
    corners = {cell: tokens.everywhere(cell) for cell in (feedback_only, target_only)}
    ratio, low, high = tokens.ratio(feedback_only, target_only)
    if not any(corners.values()) or low <= 1 <= high:
        return "inconclusive: feedback and target cost alike, as far as these seeds tell"
    edge, dear, cheap = "feedback", feedback_only, target_only
    if ratio < 1:
        edge, dear, cheap = "target", target_only, feedback_only
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    bound = "" if corners[dear] else "at least "
    return (
        f"from a language model to an agent the {edge} is the dearer edge: the {' by '.join(dear)} "
        f"takes {bound}{ratio:.1f} times the tokens of the {' by '.join(cheap)} (95 % interval "
        f"{low:.1f} to {high:.1f})"
    )


def short(number: float) -> str:
    """Three figures.

    >>> short(1234567.0), short(54321.0), short(43.2)
    ('1.23M', '54.3k', '43.2')
    """
    for unit, word in ((1e6, "M"), (1e3, "k")):
        if number >= unit:
            return f"{number / unit:.3g}{word}"
    return f"{number:.3g}"
