"""Half-lives and recoverable nats of all memories in both costumes, as one table and a figure."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from experiments.bridge.drawing import DOTS, GREY, INK, furnish
from experiments.bridge.forgetting import censored_median, half_life, recoverable
from experiments.bridge.page import Grid
from experiments.bridge.suite_forgetting import COSTUMES
from experiments.results import Table

COLOURS = dict(zip(COSTUMES, ("#c2410c", "#1d4ed8"), strict=True))


class Curve(NamedTuple):
    """Of one costume. kept, untrained: `[seeds, lags]` nats. worth: `[lags]` what there is."""

    kept: np.ndarray
    untrained: np.ndarray
    worth: np.ndarray

    @property
    def life(self) -> float:
        """The median half-life over seeds, above the untrained network; infinity if longer than
        was looked at, not-a-number if the newest input tells nothing more than it does there."""
        null = self.untrained.mean(axis=0)
        if np.median(self.kept[:, 0] - null[0]) < 0.02 * self.worth[0]:
            null = np.zeros_like(null)
        return censored_median(half_life(self.kept, null))

    @property
    def total(self) -> np.ndarray:
        """`[seeds]` recoverable nats."""
        return recoverable(self.kept)

    @property
    def share(self) -> np.ndarray:
        """`[seeds]` of all there is to know of the inputs looked at."""
        return self.total / self.worth.sum()


def curves_of(table: Table) -> dict[str, Curve]:
    """By costume."""

    def pick(costume, when, name="nats"):
        here = (table["costume"] == costume) & (table["when"] == when)
        seeds = len(np.unique(table["seed"][here]))
        order = np.lexsort((table["lag"][here], table["seed"][here]))
        return table[name][here].astype(float)[order].reshape(seeds, -1)

    return {
        costume: Curve(
            pick(costume, "trained"),
            pick(costume, "untrained"),
            pick(costume, "trained", "worth")[0],
        )
        for costume in COSTUMES
    }


def life_words(life: float, lags: int) -> str:
    return f"> {lags - 1}" if np.isinf(life) else f"{life:.0f}"


def spread(values: np.ndarray, digits: int = 2) -> str:
    return f"{values.mean():.{digits}f} ± {np.std(values, ddof=min(1, len(values) - 1)):.{digits}f}"


def suite_table(tables: dict[tuple[str, str], Table]) -> Grid:
    """One line an environment and memory, and one a memory over all environments: the score."""
    rows, shares = [], {}
    for (env, memory), table in tables.items():
        curves = curves_of(table)
        agent, model = curves.values()
        lags = len(agent.worth)
        rows.append(
            (
                f"{env}, {memory}",
                life_words(agent.life, lags),
                life_words(model.life, lags),
                spread(agent.total),
                spread(model.total),
                f"{recoverable(model.untrained).mean():.2f}",
                f"{agent.worth.sum():.2f}",
            )
        )
        for costume, curve in curves.items():
            shares.setdefault(memory, {}).setdefault(costume, []).append(curve.share.mean())
    for memory, both in shares.items():
        means = [f"{100 * np.mean(values):.1f} %" for values in both.values()]
        rows.append((f"all environments, {memory}", "", "", *means, "", ""))
    headings = ("environment, memory", "half-life, agent", "half-life, model", "nats, agent",
                "nats, model", "nats, untrained", "there is")  # fmt: skip
    note = (
        "Half-life: the first lag, in steps, at which half of what is known of the newest token is "
        "gone, above the untrained network where training added to it; > where it is longer than "
        "was looked at. Nats: read back in all over those lags, ± s.d. over seeds. The score of a "
        "memory, over all environments: the mean share of what there is that can be read back."
    )
    return Grid("forgetting: what can be read back of the inputs", headings, rows, note)


def draw(tables: dict[tuple[str, str], Table]) -> Figure:
    """One panel an environment and memory: nats by lag, both costumes, the untrained network."""
    envs = list(dict.fromkeys(env for env, _ in tables))
    memories = list(dict.fromkeys(memory for _, memory in tables))
    figure = Figure(figsize=(2.9 * len(memories) + 0.8, 2.3 * len(envs) + 0.4),
                    layout="constrained")  # fmt: skip
    panels = figure.subplots(len(envs), len(memories), sharex="row", sharey="row", squeeze=False)
    for (env, memory), table in tables.items():
        panel = panels[envs.index(env), memories.index(memory)]
        for costume, curve in curves_of(table).items():
            panel.plot(curve.kept.T, color=COLOURS[costume], linewidth=0.5, alpha=0.4)
            panel.plot(curve.kept.mean(axis=0), color=COLOURS[costume], linewidth=1.8)
            panel.plot(curve.untrained.mean(axis=0), color=GREY, linewidth=1.0,
                       linestyle=(0, (2, 2)))  # fmt: skip
        panel.plot(curve.worth, **DOTS)
        panel.axhline(0, **DOTS)
        panel.set_title(f"{env}, {memory}", loc="left", fontsize=9, color=INK)
        furnish(panel)
    for panel in panels[-1]:
        panel.set_xlabel("lag, steps", fontsize=9, color=INK)
    for panel in panels[:, 0]:
        panel.set_ylabel("nats read back", fontsize=9, color=INK)
    words = [*COLOURS.items(), ("untrained", GREY)]
    for i, (name, colour) in enumerate(words):
        panels[0, -1].text(0.98, 0.9 - 0.11 * i, name, color=colour, fontsize=8.5, ha="right",
                           transform=panels[0, -1].transAxes)  # fmt: skip
    return figure


def lead(tables: dict[tuple[str, str], Table]) -> str:
    """Which memory keeps most, in each costume."""
    shares: dict[str, dict[str, list[float]]] = {costume: {} for costume in COSTUMES}
    for (_, memory), table in tables.items():
        for costume, curve in curves_of(table).items():
            shares[costume].setdefault(memory, []).append(float(curve.share.mean()))
    words = []
    for costume, found in shares.items():
        means = {memory: np.mean(values) for memory, values in found.items()}
        best = max(means, key=means.get)
        words.append(
            f"as {costume}s, {best} keeps most: {100 * means[best]:.0f} % of what there is"
        )
    text = "; ".join(words).replace("as agents", "As agents")
    return f"{text}."
