"""Figures of the cost of a verdict: tokens to a criterion against the closed form, learning curves
on three axes, and the gradients during training."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bridge.batched_objectives import SUPERVISION_METRICS
from experiments.bridge.criterion import slowdown
from experiments.bridge.verdict.config import RUNGS, Condition, Curves, VerdictConfig
from experiments.bridge.verdict.report import HALF, MOST, game_words, predicted_slowdown, reached
from experiments.reports.style import DOTS, GREY, INK, few_powers, furnish

COLOURS = dict(zip(RUNGS, ("#1d4ed8", "#7c3aed", "#0f766e", "#c2410c"), strict=True))
BESIDE = {"sum, critic": "#b45309", "sum, group": "#be185d", "PPO": "#4d7c0f"}
NAMES = {
    "label": "label (R2)",
    "unbiased verdict": "verdict, label's gradient (R3a)",
    "verdict": "verdict (R3b)",
    "sum": "one sum (R5)",
    "sum, critic": "one sum, with a critic (R5)",
    "sum, group": "one sum, group baseline (R7)",
    "PPO": "PPO, four passes (R4)",
}
TITLES = ("environment tokens", "gradient tokens", "nats of feedback, as the learner expects")
SHAPES = {HALF: "o", MOST: "s"}


def draw(curves: dict[Condition, Curves], setup: VerdictConfig) -> Figure:
    """The summary: cost against suits, and two of the three axes at the middle number of suits."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    price, tokens, nats = figure.subplots(1, 3)
    draw_price(price, curves, setup)
    suits = setup.suits[len(setup.suits) // 2]
    for panel, axis, title in zip(
        (tokens, nats),
        (SUPERVISION_METRICS[0], SUPERVISION_METRICS[2]),
        ("tokens seen", "nats of feedback"),
        strict=True,
    ):
        draw_curves(panel, curves, suits, max(setup.batches), axis)
        panel.set_title(f"{suits} suits: over {title}", loc="left", fontsize=10, color=INK)
    tokens.set_ylabel("probability of the right action", fontsize=9, color=INK)
    name_lines(tokens)
    return figure


def draw_price(panel: Axes, curves: dict[Condition, Curves], setup: VerdictConfig) -> None:
    """Tokens of verdicts over those of labels, with intervals over seeds, and the closed form."""
    batch = max(setup.batches)
    for level, shape in SHAPES.items():
        least = max(2.0, 1 / level) + 0.05
        at = np.geomspace(least, max(setup.suits) * 1.2, 60)
        panel.plot(at, [slowdown(k, level) for k in at], color=GREY, linewidth=1.4)
        panel.text(at[-1], slowdown(at[-1], level), f" to {level}", fontsize=8.5, color=GREY)
        when = reached(curves, SUPERVISION_METRICS[0], level)
        for feedback in ("verdict", "unbiased verdict"):
            for suits in setup.suits:
                over, under = Condition(suits, feedback, batch), Condition(suits, "label", batch)
                known = over in curves and under in curves and predicted_slowdown(suits, level)
                if not known or not when.everywhere(under):
                    continue
                ratio, low, high = when.ratio(over, under)
                nudge = 1.04 if level == MOST else 0.96
                panel.errorbar(
                    suits * nudge,
                    ratio,
                    [[ratio - low], [high - ratio]],
                    fmt=shape,
                    color=COLOURS[feedback],
                    fillstyle="full" if when.everywhere(over) else "none",
                    markersize=5,
                    linewidth=1.2,
                )
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks(setup.suits, [str(k) for k in setup.suits])
    panel.set_xticks([], minor=True)
    panel.set_yticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    panel.axhline(1, **DOTS)
    panel.set_xlabel("suits (circles to 0.5, squares to 0.9)", fontsize=9, color=INK)
    panel.set_title("tokens over those of labels\ngrey: gradient flow without noise",
                    loc="left", fontsize=10, color=INK)  # fmt: skip
    furnish(panel)


def draw_curves(
    panel: Axes, curves: dict[Condition, Curves], suits: int, batch: int, axis: str, game: str = ""
) -> None:
    """Thin lines: seeds. Thick line: their mean."""
    for feedback, colour in (COLOURS | BESIDE).items():
        curve = curves.get(Condition(suits, feedback, batch, game))
        if curve is None:
            continue
        x, y = curve[axis][:, 1:], curve["right"][:, 1:]  # the first evaluation is at zero
        panel.plot(x.T, y.T, color=colour, linewidth=0.5, alpha=0.4)
        panel.plot(x.mean(axis=0), y.mean(axis=0), color=colour, linewidth=1.8)
    for height in (1 / suits, 1):
        panel.axhline(height, **DOTS)
    panel.set_xscale("log")
    few_powers(panel.xaxis)
    panel.set_ylim(0, 1.05)
    panel.set_yticks([1 / suits, 0.5, 0.9, 1], ["chance", "0.5", "0.9", "1"])
    furnish(panel)


def name_lines(panel: Axes, top: float = 0.94, names: tuple[str, ...] = tuple(COLOURS)) -> None:
    for i, feedback in enumerate(names):
        panel.text(0.02, top - 0.075 * i, NAMES[feedback], color=(COLOURS | BESIDE)[feedback],
                   fontsize=8.5, transform=panel.transAxes)  # fmt: skip


def draw_all_curves(curves: dict[Condition, Curves], setup: VerdictConfig) -> Figure:
    """One row for each number of suits and size of the batch, one column for each axis."""
    rows = list(dict.fromkeys((part.suits, part.batch, part.game) for part in curves))
    figure = Figure(figsize=(10, 2.3 * len(rows) + 0.4), layout="constrained")
    panels = figure.subplots(len(rows), 3, sharey="row", squeeze=False)
    for line, (suits, batch, game) in zip(panels, rows, strict=True):
        for panel, axis in zip(line, SUPERVISION_METRICS, strict=True):
            draw_curves(panel, curves, suits, batch, axis, game)
        line[0].set_ylabel(f"{game_words(suits, game)},\n{batch} a batch", fontsize=9, color=INK)
    for panel, title in zip(panels[-1], TITLES, strict=True):
        panel.set_xlabel(title, fontsize=9, color=INK)
    name_lines(panels[0, 0], names=(*COLOURS, *setup.beside))
    return figure


def draw_gradients(curves: dict[Condition, Curves], setup: VerdictConfig) -> Figure:
    """Signal to noise and the direction of the gradients as the learner improves."""
    suits, batch = setup.suits[len(setup.suits) // 2], max(setup.batches)
    figure = Figure(figsize=(10, 3.2), layout="constrained")
    ratio, towards, apart = figure.subplots(1, 3)
    for feedback, colour in COLOURS.items():
        curve = curves.get(Condition(suits, feedback, batch))
        if curve is None:
            continue
        update = np.maximum(curve["update"][0], 0.5)
        noise = curve["noise"].mean(axis=0)
        signal = np.maximum(curve["signal"], 1e-4 * curve["noise"]).mean(axis=0)
        known = noise > 0  # a learner that is never wrong has neither
        ratio.plot(update[known], signal[known] / noise[known], color=colour, linewidth=1.5)
        towards.plot(update, curve["cos_expected"].mean(axis=0), color=colour, linewidth=1.5)
        apart.plot(update, curve["cos_labels"].mean(axis=0), color=colour, linewidth=1.5)
        if feedback == "verdict" and "cos_ppo" in curve:
            mean = curve["cos_ppo"].mean(axis=0)
            apart.plot(update, mean, color=BESIDE["PPO"], linewidth=1.5, linestyle=(0, (4, 2)))
            apart.text(0.98, 0.03, "dashed: PPO's first pass", color=BESIDE["PPO"], fontsize=8,
                       ha="right", transform=apart.transAxes)  # fmt: skip
    ratio.set_yscale("log")
    titles = (
        "signal to noise of an episode's gradient",
        "cosine with the weighted labels' gradient",
        "cosine with the labels' gradient",
    )
    for panel, title in zip((ratio, towards, apart), titles, strict=True):
        panel.set_xscale("log")
        panel.set_title(title, loc="left", fontsize=9.5, color=INK)
        panel.set_xlabel(f"updates ({suits} suits, {batch} a batch)", fontsize=9, color=INK)
        furnish(panel)
    for panel in (towards, apart):
        panel.set_ylim(-0.3, 1.05)
        panel.axhline(0, **DOTS)
    name_lines(towards, 0.3)
    return figure
