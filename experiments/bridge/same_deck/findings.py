"""The outcome of each hypothesis about one deck and three objectives, with its numbers."""

from __future__ import annotations

import numpy as np

from experiments.bridge.criterion import first_reached, slowdown
from experiments.bridge.findings import Finding, outcome_of
from experiments.bridge.measures.nulls import APART, MARGIN, holm, in_words, over_networks
from experiments.bridge.same_deck.config import THREE
from experiments.bridge.same_deck.summary import (
    ENOUGH,
    LEAST_RANK,
    Summary,
    followed,
    format_interval,
    free,
    overlap_of,
)
from experiments.reports.statistics import average, difference

HALF = 0.5
INSIDE, TOO_FLAT = (0.7, 1.3), 0.5
"""Slopes of measured over predicted overlap that are as large as predicted, or too flat."""
COUNTER_AT_MOST, LIST_AT_LEAST = 0.1, 0.3
"""Order indices of a memory that is a multiset, and of one that is a list (which has 2/3)."""


def disjoint(summary: Summary) -> list[str]:
    """The tasks where acting and predicting need different information."""
    return [t for t in summary.setup.tasks if overlap_of(summary.setup.env(t)) == "disjoint"]


def but(summary: Summary, *kinds: str) -> str:
    """The tasks that are not compared because networks lack competence."""
    tasks = summary.unmatched(*kinds)
    return f"; unmatched: {', '.join(tasks)}" if tasks else ""


def strong(summary: Summary) -> Finding:
    """S, the primary endpoint."""
    tasks = disjoint(summary)
    found = {task: summary.likeness(task, "verdict", "LM") for task in tasks}
    p = holm([one.permutation for one in found.values()])
    verdicts = {one.verdict for one in found.values()}
    outcome = "inconclusive"
    if verdicts == {"the same"}:
        outcome = "holds"
    elif verdicts == {"different"} and max(p) < 0.05:
        outcome = "fails"
    words = "; ".join(
        f"{task} {in_words(one)}, p {value:.3f}"
        for (task, one), value in zip(found.items(), p, strict=True)
    )
    return Finding(
        "S",
        "one deck and one architecture make one representation, whatever the objective: where "
        "acting and predicting require different information, agent and language model are still "
        f"as similar as two seeds of one objective (NS within {MARGIN} of 1, where the ceiling is "
        f"over {APART} above the null)",
        f"verdict and LM: {words} (Holm)",
        outcome,
        primary=True,
    )


def moderate(summary: Summary) -> Finding:
    """M, H1a."""
    name, claim = (
        "H1a (M)",
        "a network remembers of each statistic what the rules say its objective needs: over the "
        "points with a predicted overlap below 1, measured and predicted overlap are correlated by "
        "rank (permutation p below 0.05), and the slope's interval contains 1 or the correlation "
        f"is above {LEAST_RANK}. (Originally all points were included; but a competent network has "
        "all it needs, so those with a predicted overlap of 1 are near 1 in any case)",
    )
    points = summary.points()
    if not {"LM"} < {p[1] for p in points} or len(free(points)) < ENOUGH:
        return Finding(name, claim, "too few competent networks", "inconclusive")
    found = followed(points)
    miss = distance(points)
    above = np.mean([p[4].mean() - p[3] for p in free(points)])
    lacking = [f"{t} {k}" for k in summary.setup.kinds for t in summary.unmatched(k)]
    outcome, why = "fails", "; neither by rank nor in size"
    if found.in_size or found.by_rank:
        outcome, why = "holds", "" if found.in_size else "; by rank alone, the slope is not 1"
    elif found.slope[1] <= 1 <= found.slope[2]:
        outcome, why = (
            "inconclusive",
            "; the slope may be 1, the rank correlation chance",
        )
    elif found.p < 0.05:
        why = "; correlated, but too weakly, and the slope is not 1"
    return Finding(
        name,
        claim,
        "over {} points with a predicted overlap below 1: slope {:.2f} [{:.2f}, {:.2f}], ".format(
            found.number, *found.slope
        )
        + "rank correlation {:.2f} [{:.2f}, {:.2f}] (p {:.3f}), ".format(*found.rank, found.p)
        + f"mean distance {miss:.2f}, {above:+.2f} on average above the prediction"
        + why
        + (f"; unmatched: {', '.join(lacking)}" if lacking else ""),
        outcome,
    )


def in_size(summary: Summary) -> Finding:
    """M probed through noise, registered before any network was probed this way."""
    name, claim = (
        "M in size",
        "read through noise of 0.1 or 0.3 of a unit's standard deviation, measured overlap is as "
        "large as the predicted one: over the points with a predicted overlap below 1 the slope's "
        f"interval lies inside [{INSIDE[0]}, {INSIDE[1]}] and the permutation p is below 0.05 "
        f"(fails if the interval lies below {TOO_FLAT} through every noise)",
    )
    points = {noise: summary.points(noise) for noise in summary.setup.noises}
    if len(free(points[0.0])) < ENOUGH:
        return Finding(name, claim, "too few competent networks", "inconclusive")
    fits = {noise: followed(those) for noise, those in points.items()}
    outcome = "inconclusive"
    if any(fit.p < 0.05 and INSIDE[0] <= fit.slope[1] and fit.slope[2] <= INSIDE[1]
           for noise, fit in fits.items() if noise):  # fmt: skip
        outcome = "holds"
    elif all(fit.slope[2] < TOO_FLAT for fit in fits.values()):
        outcome = "fails"
    words = "; ".join(
        f"noise {noise:g}: slope {fit.slope[0]:.2f} [{fit.slope[1]:.2f}, {fit.slope[2]:.2f}], "
        f"p {fit.p:.3f}, mean distance {distance(points[noise]):.2f}"
        for noise, fit in fits.items()
    )
    return Finding(name, claim, words, outcome)


def distance(points: list[tuple]) -> float:
    """Distance of measured from predicted overlap, over points with a predicted one below 1."""
    return float(np.mean([abs(p[3] - p[4].mean()) for p in free(points)]))


def dissociation(summary: Summary) -> Finding:
    """H1b."""
    words, outcomes = [], []
    for task in disjoint(summary):
        if not summary.matched(task, "verdict", "LM"):
            outcomes.append("inconclusive")
            continue
        for who, holder, other in (("rl", "verdict", "LM"), ("lm", "LM", "verdict")):
            gap = difference(
                summary.share(task, holder, who), summary.share(task, other, who), average
            )
            outcomes.append(outcome_of(*gap[1:], 0.0, 1.0))
            words.append(f"{task} Z_{who.upper()} {gap[0]:+.2f} [{gap[1]:.2f}, {gap[2]:.2f}]")
    return Finding(
        "H1b",
        "the dissociation is double: the agent holds more of Z_RL than the language model, and the "
        "language model more of Z_LM than the agent",
        "; ".join(words) + but(summary, "verdict", "LM"),
        together(outcomes),
    )


def order(summary: Summary) -> Finding:
    """H1c."""
    words, outcomes = [], []
    for task in summary.suits:
        if not summary.matched(task, *THREE):
            outcomes.append("inconclusive")
            continue
        index = {kind: summary.by_seed(task, "ordered", "order_index", kind=kind) for kind in THREE}
        words.append(
            f"{task} " + ", ".join(f"{kind} {format_interval(v)}" for kind, v in index.items())
        )
        _, low, high = over_networks(index["LM"])
        outcomes.append(outcome_of(low, high, -1.0, COUNTER_AT_MOST))
        for kind in THREE[1:]:
            _, low, high = over_networks(index[kind])
            outcomes.append(outcome_of(low, high, LIST_AT_LEAST, 1.0))
    return Finding(
        "H1c",
        f"order separates the two: the language model is a multiset (order index under "
        f"{COUNTER_AT_MOST}), the agent a list (above {LIST_AT_LEAST}; an exact register has 0.67)",
        "; ".join(words) or "too few competent networks",
        together(outcomes),
    )


def together(outcomes: list[str]) -> str:
    """ "holds" if all hold, "fails" if any fails, else "inconclusive".

    >>> together(["holds", "inconclusive"]), together(["holds", "fails"])
    ('inconclusive', 'fails')
    """
    if "fails" in outcomes:
        return "fails"
    return "holds" if set(outcomes) == {"holds"} else "inconclusive"


def feedback(summary: Summary) -> Finding:
    """H1d."""
    found = {task: summary.likeness(task, "verdict", "label") for task in summary.setup.tasks}
    p = holm([one.equivalence for one in found.values()])
    outcome = "inconclusive"
    if max(p) < 0.05:
        outcome = "holds"
    elif any(one.verdict == "different" for one in found.values()):
        outcome = "fails"
    words = "; ".join(f"{task} {in_words(one)}" for task, one in found.items())
    return Finding(
        "H1d",
        "verdict or label leaves no trace if the target is the same: NS(verdict, label) is "
        "equivalent to two seeds of one objective in every task",
        f"{words}; largest p of non-equivalence {max(p):.3f} (Holm)",
        outcome,
    )


def weak(summary: Summary) -> Finding:
    """W, for learning speed."""
    words, outcomes = [], []
    for task in summary.suits:
        at = {}
        for kind in THREE[1:]:
            curve = summary.curves[task, kind]
            axis, competence = (
                curve[name].reshape(-1, summary.setup.seeds).T for name in ("tokens", "competence")
            )
            at[kind] = np.log(first_reached(np.float64(axis), competence, HALF))
        if not all(np.isfinite(v).all() for v in at.values()):
            words.append(f"{task}: half of the competence was not reached by all")
            outcomes.append("inconclusive")
            continue
        mean, low, high = np.exp(difference(at["verdict"], at["label"], average))
        kinds = summary.setup.env(task).action_space.num_values
        theory = slowdown(kinds, 1 / kinds + HALF * (1 - 1 / kinds))
        words.append(f"{task} {mean:.2f} [{low:.2f}, {high:.2f}] beside {theory:.1f}")
        outcomes.append(outcome_of(low, high, theory / 1.5, theory * 1.5))
    return Finding(
        "W",
        "an RL step is an LM step with another weight: so the ratio of verdict to label tokens, to "
        "half of the value of memory, is that predicted by gradient flow without noise "
        "(within a factor of 1.5; the identity of gradients is itself a test, by enumeration)",
        "; ".join(words),
        together(outcomes),
    )


def united(summary: Summary) -> Finding:
    """H1b, where acting and predicting need the same information."""
    tasks = [t for t in summary.setup.tasks if overlap_of(summary.setup.env(t)) == "equal"]
    agent = "rewards" if "rewards" in summary.setup.kinds else "verdict"
    found = {task: summary.likeness(task, agent, "LM") for task in tasks}
    p = holm([one.equivalence for one in found.values()])
    outcome = "inconclusive"
    if max(p) < 0.05:
        outcome = "holds"
    elif any(one.verdict == "different" for one in found.values()):
        outcome = "fails"
    return Finding(
        "H1b'",
        "where acting and predicting need the same, agent and language model are equivalent to "
        "two seeds of one objective, at matched competence",
        f"{agent} and LM: "
        + "; ".join(f"{task} {in_words(one)}" for task, one in found.items())
        + f"; largest p of non-equivalence {max(p):.3f} (Holm)",
        outcome,
    )


def findings_of(summary: Summary) -> list[Finding]:
    """All findings; none where a kind lacks competent networks."""
    found = [one(summary) for one in (strong, moderate, dissociation, order, feedback, weak)]
    if any(overlap_of(summary.setup.env(task)) == "equal" for task in summary.setup.tasks):
        found.insert(3, united(summary))
    found.insert(2, in_size(summary))
    return found


SLOGAN = {
    "S": ("S", "the strong reading (one representation whatever the objective)"),
    "M": ("H1a (M)", "the moderate one (what is remembered follows from what the objective needs)"),
    "W": ("W", "the weak one (the same gradient with another weight, judged by speed)"),
}


def lead_of(findings: list[Finding]) -> str:
    """One sentence with the verdict on each reading of the slogan."""
    by_name = {finding.name: finding for finding in findings}
    sentences = []
    for name, reading in SLOGAN.values():
        finding = by_name[name]
        verb = finding.outcome if finding.outcome != "inconclusive" else "is inconclusive"
        sentences.append(f"{reading[0].upper()}{reading[1:]} {verb}: {finding.found}.")
    return " ".join(sentences)
