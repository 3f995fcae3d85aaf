"""Results of the six cells: when each reaches the criterion, the cost of each edge of the square,
and the theoretical predictions."""

from __future__ import annotations

import math

import jax.numpy as jnp
import numpy as np

from agents.nats import label_nats
from agents.supervision import sum_nats, verdict_nats
from experiments.bridge.criterion import Cell, Reached, reached, short, slowdown
from experiments.bridge.decks import SUITS, best_without_memory
from experiments.bridge.factorial.conditions import (
    CELLS,
    FEEDBACK,
    SUPERVISION_METRICS,
    TARGETS,
    Curves,
    FactorialConfig,
)

LEVELS = (0.5, 0.9)
TOKENS, NATS = SUPERVISION_METRICS


def feedback_at_first(judged: int) -> dict[str, float]:
    """Nats per judged step that each kind of feedback gives a learner with a uniform belief."""
    uniform = jnp.full(SUITS, -math.log(SUITS))
    right, counted = jnp.full((judged, 1), 1 / SUITS), jnp.ones((judged, 1), bool)
    nats = (label_nats(uniform), verdict_nats(uniform), sum_nats(right, counted)[0] / judged)
    return dict(zip(FEEDBACK, map(float, nats), strict=True))


def judged_steps(setup: FactorialConfig) -> dict[str, int]:
    """Judged steps per episode, by target: no earlier card can be named before k are dealt."""
    return dict(zip(TARGETS, (setup.env.max_steps, setup.env.num_cards - setup.k), strict=True))


def reading(tokens: Reached) -> str:
    """Which edge costs more, in one sentence. The diagonal is the product of its edges, on either
    way round the square; averaged over both ways, the edge of feedback is longer than that of the
    target by just the ratio of the two other corners."""
    feedback_only, target_only = (TARGETS[0], FEEDBACK[-1]), (TARGETS[1], FEEDBACK[0])
    corners = {cell: tokens.everywhere(cell) for cell in (feedback_only, target_only)}
    ratio, low, high = tokens.ratio(feedback_only, target_only)
    if not any(corners.values()) or low <= 1 <= high:
        return "inconclusive: with these seeds feedback and target cost the same"
    edge, dear, cheap = "feedback", feedback_only, target_only
    if ratio < 1:
        edge, dear, cheap = "target", target_only, feedback_only
        ratio, low, high = 1 / ratio, 1 / high, 1 / low
    bound = "" if corners[dear] else "at least "
    return (
        f"from a language model to an agent the {edge} costs more: the {' by '.join(dear)} takes "
        f"{bound}{ratio:.1f} times the tokens of the {' by '.join(cheap)} (95 % interval "
        f"{low:.1f} to {high:.1f})"
    )


CELLS_TITLE = "competence: 0 = best without memory, 1 = best there is (spread: s.d. over seeds)"
CELLS_NOTE = (
    "tokens, nats: read, and expected as feedback, until that competence, geometric mean over "
    "seeds; > if a seed never reached it.\nnats/token: until 0.5."
)
EDGES_TITLE = (
    f"how many times more to competence {LEVELS[0]} (95 % intervals, by bootstrap over seeds)"
)
EDGES_NOTE = (
    "if nats were all: the ratio of tokens that carry equal nats to a learner with a uniform "
    "belief."
)
CELL_NAMES = ("target", "feedback", "regime")
CELL_NUMBERS = (
    "competence",
    *(f"{what} to {level}" for what in ("tokens", "nats") for level in LEVELS),
    "nats/token",
    "seconds",
)
EDGE_NAMES, EDGE_NUMBERS = ("from", "to"), ("tokens", "nats", "if nats were all")


def cell_rows(curves: dict[Cell, Curves]) -> list[tuple[str, ...]]:
    """One row per cell."""
    when = [reached(curves, axis, level) for axis in (TOKENS, NATS) for level in LEVELS]
    rows = []
    for cell, curve in curves.items():
        last = curve["competence"][:, -1]
        rate = when[2].mean(cell) / when[0].mean(cell)
        rows.append((
            *cell,
            CELLS[cell],
            f"{last.mean():.3f} ± {np.std(last, ddof=min(1, len(last) - 1)):.3f}",
            *(("" if r.everywhere(cell) else "> ") + short(r.mean(cell)) for r in when),
            f"{rate:.3f}",
            f"{curve['seconds'].max():.0f}",
        ))  # fmt: skip
    return rows


def edge_rows(curves: dict[Cell, Curves], setup: FactorialConfig) -> list[tuple[str, ...]]:
    """One row per edge of the square, and one for its diagonal."""
    half = LEVELS[0]
    tokens, nats = reached(curves, TOKENS, half), reached(curves, NATS, half)
    by_target = {target: feedback_at_first(n) for target, n in judged_steps(setup).items()}
    rows = []
    for under, over in EDGES:
        share = [n / setup.env.max_steps for n in map(judged_steps(setup).get, (under[0], over[0]))]
        low, high = by_target[under[0]][under[1]], by_target[over[0]][over[1]]
        by_nats = low * share[0] / (high * share[1])
        rows.append((
            " by ".join(under),
            " by ".join(over),
            *(interval_words(r, over, under) for r in (tokens, nats)),
            f"{by_nats:.1f}",
        ))  # fmt: skip
    return rows


def edges() -> list[tuple[Cell, Cell]]:
    """From the cell with more feedback to that with less, or from the next observation to
    the action; the diagonal last."""
    (look, act), (label, verdict, total) = TARGETS, FEEDBACK
    steps = ((label, verdict), (verdict, total), (label, total))
    by_feedback = [((target, a), (target, b)) for target in TARGETS for a, b in steps]
    by_target = [((look, feedback), (act, feedback)) for feedback in FEEDBACK]
    return [*by_feedback, *by_target, ((look, label), (act, total))]


EDGES = edges()


def theory_rows(setup: FactorialConfig) -> list[tuple[str, ...]]:
    """Theoretical predictions: initial nats per judged step by target, and how many times longer
    bandit feedback takes than labels without noise."""
    rows = []
    for target, judged in judged_steps(setup).items():
        first = feedback_at_first(judged)
        words = ", ".join(f"{name} {nats:.3f}" for name, nats in first.items())
        ratios = " : ".join(f"{nats / first['sum']:.1f}" for nats in first.values())
        rows.append((f"nats per judged step at first, {target}", f"{words} ({ratios})"))
    bottom = best_without_memory(setup.env)
    words = [f"{slowdown(SUITS, 0.5):.1f} to probability 1/2"]
    for level in LEVELS:
        p = bottom + level * (1 - bottom)
        words.append(f"{slowdown(SUITS, p):.1f} to {p:.3f} (competence {level})")
    return [
        *rows,
        (f"verdicts over labels without noise, one softmax of {SUITS}", ", ".join(words)),
    ]


def interval_words(when: Reached, over: Cell, under: Cell) -> str:
    ratio, low, high = when.ratio(over, under)
    bound = {(True, True): "", (False, True): "> ", (True, False): "< "}
    known = bound.get((when.everywhere(over), when.everywhere(under)))
    return "unknown" if known is None else f"{known}{ratio:.2f} ({low:.2f} to {high:.2f})"
