"""Tables of the cost of a verdict."""

from __future__ import annotations

import numpy as np

from experiments.bridge import criterion
from experiments.bridge.batched_objectives import SUPERVISION_METRICS
from experiments.bridge.criterion import Reached, short, slowdown
from experiments.bridge.page import Grid
from experiments.bridge.verdict.config import RUNGS, Condition, Curves, VerdictConfig

TOKENS, _, NATS = SUPERVISION_METRICS
HALF, MOST = 0.5, 0.9
WHAT = (
    "One network plays the same tiny decks, RepeatPrevious with 16 cards of K suits, on "
    "its own histories. The feedback is the right action (label), whether its own was right "
    "(verdict), the same weighted so that the expected gradient is the label's, or once per "
    "episode how often it was right (sum). Without noise, gradient flow on one softmax predicts "
    "the cost of a verdict in closed form."
)
SAYS = {
    "label": "R2", "unbiased verdict": "R3a", "verdict": "R3b", "sum": "R5",
    "sum, critic": "R5", "sum, group": "R7", "PPO": "R4",
}  # fmt: skip


def reached(curves: dict[Condition, Curves], axis: str, level: float) -> Reached:
    """When the mean probability of the right action first reaches a level, by part and seed."""
    return criterion.reached(curves, axis, level, of="right")


def predicted_slowdown(suits: int, level: float) -> float | None:
    """Verdicts over labels without noise; None where learning starts at the level."""
    return slowdown(suits, level) if level > 1 / suits + 1e-9 else None


def noise_scale(curve: Curves, level: float) -> float:
    """Episodes at which signal and noise are equal, over the looks of all seeds until a level is
    reached. Both are summed before dividing, since a single signal estimate may be negative;
    infinity where their sum is."""
    until = curve["right"] <= level
    signal = float(curve["signal"][until].sum())
    return float(curve["noise"][until].sum()) / signal if signal > 0 else float("inf")


def ratio_words(when: Reached, over: Condition, under: Condition) -> str:
    ratio, low, high = when.ratio(over, under)
    bound = {(True, True): "", (False, True): "> ", (True, False): "< "}
    known = bound.get((when.everywhere(over), when.everywhere(under)))
    return "never" if known is None else f"{known}{ratio:.2f} ({low:.2f} to {high:.2f})"


def named(part: Condition) -> str:
    """A readable name of a part."""
    how = f"{part.feedback} ({SAYS[part.feedback]}), {part.batch} a batch"
    return f"{game_words(part.suits, part.game)}, {how}"


def game_words(suits: int, game: str) -> str:
    """The game of a part.

    >>> game_words(4, ""), game_words(4, "8 cards"), game_words(27, "CountRecallEasy")
    ('4 suits', '4 suits, 8 cards', 'CountRecallEasy')
    """
    of_suits = not game or game.startswith("k ") or game.endswith(" cards")
    return ", ".join([f"{suits} suits"] * of_suits + [game] * bool(game))


def parts_table(curves: dict[Condition, Curves], setup: VerdictConfig) -> Grid:
    """One row per part."""
    columns = [(axis, level) for axis in (TOKENS, NATS) for level in (HALF, MOST)]
    when = {column: reached(curves, *column) for column in columns}
    rows = []
    for part, curve in curves.items():
        reach = []
        for (_, level), r in when.items():
            if predicted_slowdown(part.suits, level) is None:  # learning starts there
                reach.append("-")
            else:
                reach.append(("" if r.everywhere(part) else "> ") + short(r.mean(part)))
        rows.append(
            (
                named(part),
                f"{curve['right'][:, -1].mean():.3f}",
                *reach,
                "-" if np.isnan(curve["noise"]).all() else short(noise_scale(curve, MOST)),
                f"{curve['seconds'].max():.0f}",
            )
        )
    headings = ("part", "final accuracy", *(f"{a} to {x}" for a in ("tokens", "nats") for x in (
        HALF, MOST)), "noise scale (episodes)", "seconds")  # fmt: skip
    note = (
        f"{setup.seeds} seeds, geometric means; > where a seed never did. Accuracy: probability "
        "of the right action on held-out decks. Noise scale: episodes at which the gradient's "
        "signal and noise are equal, until 0.9."
    )
    return Grid("all parts", headings, rows, note)


def curve_table(curves: dict[Condition, Curves], setup: VerdictConfig) -> Grid:
    """Verdicts over labels beside the closed form, and the other costs."""
    rows = []
    for batch in setup.batches:
        for suits in setup.suits:
            parts = {feedback: Condition(suits, feedback, batch) for feedback in RUNGS}
            if not all(part in curves for part in parts.values()):
                continue
            for level in (HALF, MOST):
                theory = predicted_slowdown(suits, level)
                if theory is None:
                    continue
                when = reached(curves, TOKENS, level)
                over = [
                    ratio_words(when, parts[feedback], parts["label"])
                    for feedback in list(RUNGS)[1:]
                ]
                rows.append((f"{suits} suits, {batch} a batch, to {level}", f"{theory:.2f}", *over))
    headings = (
        "",
        "closed form, verdict",
        *(f"{feedback} ({SAYS[feedback]})" for feedback in list(RUNGS)[1:]),
    )
    note = "Tokens over those of labels (R2), with 95 % intervals over seeds."
    return Grid("the cost in tokens", headings, rows, note)
