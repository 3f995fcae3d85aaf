"""More figures of `popjax bridge same-deck`: learning on three axes, and the shape of beliefs."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from experiments.bridge.drawing import DOTS, GREY, INK, few_powers, furnish
from experiments.bridge.page import Picture
from experiments.bridge.same_deck_figure import COLOURS, names, title
from experiments.bridge.same_deck_summary import Summary
from experiments.bridge.same_deck_train import AXES

TITLES = {
    "tokens": "tokens read",
    AXES[0]: "tokens that made a gradient",
    AXES[1]: "nats told, as the learner expects",
}


def on_axes(summary: Summary) -> list[str]:
    """The tasks whose curves hold all three axes: those of the first studies do not."""
    kinds = summary.setup.kinds
    curves = {task: [summary.curves[summary.setup.cell(task, k)] for k in kinds]
              for task in summary.setup.tasks}  # fmt: skip
    return [task for task, all_ in curves.items() if all(set(TITLES) <= set(c) for c in all_)]


def draw_learning(summary: Summary) -> Figure:
    """One row a task: competence over each axis, seeds thin, their mean thick."""
    tasks, seeds = on_axes(summary), summary.setup.seeds
    figure = Figure(figsize=(10, 2.3 * len(tasks) + 0.4), layout="constrained")
    panels = figure.subplots(len(tasks), 3, sharey="row", squeeze=False)
    for row, task in zip(panels, tasks, strict=True):
        for panel, axis in zip(row, TITLES, strict=True):
            for kind in summary.setup.kinds:
                curve = summary.curves[summary.setup.cell(task, kind)]
                x, y = (curve[name].reshape(-1, seeds)[1:] for name in (axis, "competence"))
                if not (x > 0).all():  # what rewards tell is not known everywhere
                    continue
                panel.plot(x, y, color=COLOURS[kind], linewidth=0.5, alpha=0.4)
                panel.plot(x.mean(1), y.mean(1), color=COLOURS[kind], linewidth=1.8)
            for height in (0, 1):
                panel.axhline(height, **DOTS)
            panel.set_xscale("log")
            few_powers(panel.xaxis)
            panel.set_ylim(-0.5, 1.08)
            furnish(panel)
        title(row[0], task)
    for panel, words in zip(panels[-1], TITLES.values(), strict=True):
        panel.set_xlabel(words, fontsize=9, color=INK)
    panels[0, 0].set_ylabel("competence", fontsize=9, color=INK)
    names(panels[0, 0], 0.03, 0.9, summary.setup.kinds)
    return figure


def corners(number: int) -> Float[np.ndarray, "b 2"]:
    """Where the certainties of a law of so many things lie in the plane."""
    angle = 2 * np.pi * np.arange(number) / number + np.pi / 4
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def draw_beliefs(summary: Summary, task: str) -> Figure:
    """Exact beliefs, and what least squares reads of the first seed of each kind, in the plane:
    each law the mean of its corners. A bandit's: the first two arms."""
    table, kinds = summary.tables[task, "shaped"], ["exact", *summary.setup.all]
    points, whole = table["point"] >= 0, table["point"] < 0
    figure = Figure(figsize=(2.1 * len(kinds), 2.5), layout="constrained")
    panels = figure.subplots(1, len(kinds), sharex=True, sharey=True)
    number = int(table["axis"].max()) + 1
    at = np.eye(number)[:, :2] if task == "MultiarmedBandit" else corners(number)
    for panel, kind in zip(panels, kinds, strict=True):
        mine = points & (table["kind"] == kind)
        order = np.lexsort((table["axis"][mine], table["point"][mine]))
        law = table["value"][mine][order].reshape(-1, number)
        time = table["t"][mine][order].reshape(-1, number)[:, 0]
        place = law @ at
        panel.scatter(*place.T, c=time, s=7, cmap="viridis", linewidths=0)
        if task != "MultiarmedBandit":
            panel.plot(*np.concatenate([at, at[:1]]).T, color=GREY, linewidth=0.6)
        found = table["value"][whole & (table["kind"] == kind)]
        title(panel, kind if kind == "exact" else f"{kind}, $R^2$ {found.mean():.2f}")
        panel.set_xticks([])
        panel.set_yticks([])
        panel.set_aspect("equal")
        panel.spines[:].set_visible(False)
    return figure


def pictures(summary: Summary) -> dict[str, list[Picture]]:
    """For the page, as far as there are numbers for them."""
    found = {}
    if on_axes(summary):
        shows = "Learning curves over tokens, tokens that made a gradient, and nats told"
        found["learning"] = [Picture(draw_learning(summary), shows)]
    shaped = summary.having("shaped")
    if shaped:
        found["beliefs"] = [
            Picture(
                draw_beliefs(summary, task),
                f"Exact beliefs and what is read of states, {task}",
                "Each point is the law of what comes next after one history, the mean of its "
                "corners; of a bandit the posterior means of two arms. Dark: early; light: late.",
            )
            for task in shaped
        ]
    return found
