"""Figures of the kinship table: the matrix of verdicts, and forgetting in both costumes."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import spearmanr

from experiments.bridge.kinship.config import REGISTERED
from experiments.bridge.kinship.verdict import Verdict, forgotten
from experiments.bridge.page import Picture
from experiments.reports.style import DOTS, GREY, INK, furnish
from experiments.results.store import Table

COLOURS = {
    "same": "#15803d",
    "one-sided": "#b45309",
    "different": "#1d4ed8",
    "inconclusive": "#a3a3a3",
    "unmatched": "#ffffff",
}
GLYPHS = {"yes": "●", "no": "○", "open": "·"}
ARROWS = {"to_agent": "M→A", "to_model": "A→M"}
MARKS = ("o", "s", "^", "D", "v", "P", "X", "*")


def pictures(verdicts: dict, tables: dict) -> dict[str, list[Picture]]:
    found = {
        "matrix": [
            Picture(
                matrix(verdicts),
                "Verdicts of agents beside language models, families by architectures",
                "Colour: the verdict. M→A: an agent continues a model's state, A→M the reverse; "
                "filled where that is as good as another seed of its own kind, open where it is "
                "not, a point where inconclusive. Hatched: not competent enough to be compared.",
            )
        ],
        "forgetting": [],
    }
    if len(tables) > 1:
        found["forgetting"] = [
            Picture(
                forgetting(verdicts, tables),
                "Nats of earlier cards held by agents and by models, one point per cell",
            )
        ]
    return found


def matrix(verdicts: dict[tuple[str, str], Verdict]) -> Figure:
    """Families by architectures, beside the registered predictions."""
    envs = list(dict.fromkeys(env for env, _ in verdicts))
    memories = list(dict.fromkeys(memory for _, memory in verdicts))
    width, height = len(memories) + 1, len(envs)
    figure = Figure(figsize=(1.25 * width + 1.7, 0.95 * height + 1.1), layout="constrained")
    panel = figure.subplots()
    for row, env in enumerate(envs):
        box(panel, 0, row, REGISTERED[env.removesuffix("Easy")], "registered")
        for column, memory in enumerate(memories, 1):
            if (found := verdicts.get((env, memory))) is not None:
                ways = "  ".join(
                    f"{ARROWS[name]} {GLYPHS[way]}" for name, way in found.directions.items()
                )
                box(panel, column, row, found.verdict, ways)
    panel.set_xlim(-0.55, width - 0.45)
    panel.set_ylim(height - 0.45, -0.55)
    panel.set_xticks(range(width), ["registered", *memories], fontsize=9, color=INK)
    panel.set_yticks(range(height), [env.removesuffix("Easy") for env in envs], fontsize=9)
    panel.xaxis.tick_top()
    panel.tick_params(length=0, colors=INK)
    for side in panel.spines.values():
        side.set_visible(False)
    panel.axvline(0.5, color=GREY, linewidth=0.8)
    return figure


def box(panel, column: int, row: int, verdict: str, below: str) -> None:
    unmatched = verdict == "unmatched"
    panel.add_patch(
        Rectangle(
            (column - 0.46, row - 0.42),
            0.92,
            0.84,
            facecolor=COLOURS[verdict],
            edgecolor=GREY,
            linewidth=0.6,
            hatch="////" if unmatched else None,
        )
    )
    ink = INK if unmatched else "white"
    back = {"facecolor": "white", "edgecolor": "none", "pad": 1.5} if unmatched else None
    panel.text(column, row - 0.1, verdict, ha="center", va="center", fontsize=9, color=ink,
               bbox=back)  # fmt: skip
    panel.text(column, row + 0.2, below, ha="center", va="center", fontsize=6.5, color=ink,
               bbox=back)  # fmt: skip


def forgetting(verdicts: dict, tables: dict[tuple[str, str], Table]) -> Figure:
    """Total nats of earlier cards, agents against models, one point per cell: are failures of
    memory comparable?"""
    figure = Figure(figsize=(4.6, 3.8), layout="constrained")
    panel = figure.subplots()
    envs = list(dict.fromkeys(env for env, _ in tables))
    memories = list(dict.fromkeys(memory for _, memory in tables))
    palette = ("#c2410c", "#1d4ed8", "#15803d", "#7e22ce", "#0f766e", "#a16207", "#be123c")
    for (env, memory), table in tables.items():
        matched = verdicts[env, memory].verdict != "unmatched"
        colour = palette[envs.index(env) % len(palette)]
        panel.plot(
            forgotten(table, "model"),
            forgotten(table, "agent"),
            MARKS[memories.index(memory) % len(MARKS)],
            color=colour,
            markerfacecolor=colour if matched else "white",
            markersize=6,
        )
    top = max(panel.get_xlim()[1], panel.get_ylim()[1])
    panel.plot([0, top], [0, top], **DOTS)
    for i, env in enumerate(envs):
        panel.text(0.02, 0.97 - 0.06 * i, env.removesuffix("Easy"), color=palette[i], fontsize=8,
                   transform=panel.transAxes, va="top")  # fmt: skip
    for i, memory in enumerate(memories):
        panel.plot([], [], MARKS[i % len(MARKS)], color=GREY, label=memory)
    panel.legend(fontsize=7.5, frameon=False, loc="lower right")
    panel.set_xlabel("nats of earlier cards, language model", fontsize=9, color=INK)
    panel.set_ylabel("nats of earlier cards, agent", fontsize=9, color=INK)
    furnish(panel)
    return figure


def rank_correlation(
    verdicts: dict, tables: dict, draws: int = 4000, seed: int = 0
) -> tuple[float, float, float]:
    """Spearman's correlation of agents' and models' total nats over the cells compared, with its
    95 % interval; cells are resampled. NaN with fewer than four cells."""
    parts = [part for part, found in verdicts.items() if found.verdict != "unmatched"]
    if len(parts) < 4:
        return (np.nan,) * 3
    points = np.array([[forgotten(tables[p], kind) for kind in ("agent", "model")] for p in parts])
    draw, found = np.random.default_rng(seed), []
    for _ in range(draws):
        chosen = points[draw.integers(len(points), size=len(points))]
        if len(np.unique(chosen, axis=0)) > 2:
            found.append(spearmanr(*chosen.T).statistic)
    low, high = np.nanquantile(found, [0.025, 0.975])
    return float(low), float(spearmanr(*points.T).statistic), float(high)
