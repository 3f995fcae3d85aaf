"""The figures of `popjax bridge same-deck`: what is remembered, beside what is needed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bridge.measures.count_only import by_lag
from experiments.bridge.measures.nulls import in_words, over_networks
from experiments.bridge.measures.overlap import deck_of
from experiments.bridge.page import Picture
from experiments.bridge.same_deck.config import UNTRAINED
from experiments.bridge.same_deck.summary import Summary
from experiments.bridge.same_deck.train import SUPERVISION_METRICS
from experiments.reports.style import DOTS, GREY, INK, few_powers, furnish

COLOURS = {
    "LM": "#1d4ed8", "label": "#0f766e", "verdict": "#c2410c", "both": "#7c3aed",
    "rewards": "#b45309", "sum": "#be185d", UNTRAINED: GREY,
}  # fmt: skip
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def title(panel: Axes, words: str) -> None:
    panel.set_title(words, loc="left", fontsize=9.5, color=INK)


def names(panel: Axes, x: float, y: float, kinds: tuple[str, ...], step: float = 0.075) -> None:
    """Of the kinds, in their colours."""
    for i, kind in enumerate(kinds):
        panel.text(
            x, y - i * step, kind, color=COLOURS[kind], fontsize=8.5, transform=panel.transAxes
        )


def draw_overlap(panel: Axes, summary: Summary) -> None:
    """Filled: what acting needs. Hollow: what predicting needs. Bars: 95 % over seeds."""
    panel.plot([0, 1], [0, 1], **DOTS)
    shift = {kind: 0.012 * (i - 1) for i, kind in enumerate(summary.setup.kinds)}
    for task, kind, who, predicted, measured in summary.points():
        mean, low, high = over_networks(measured)
        marker = MARKERS[summary.setup.tasks.index(task)]
        panel.errorbar(
            predicted + shift[kind], mean, [[mean - low], [high - mean]], marker=marker,
            color=COLOURS[kind], markerfacecolor=COLOURS[kind] if who == "rl" else "white",
            markersize=6, linewidth=1,
        )  # fmt: skip
    for task in summary.setup.tasks:
        for who in ("rl", "lm"):
            height = summary.share(task, UNTRAINED, who).mean()
            panel.plot([-0.05, -0.03], [height] * 2, color=GREY, linewidth=1.5)
    for task, marker in zip(summary.setup.tasks, MARKERS, strict=False):
        panel.plot([], [], marker, color=GREY, markersize=5, label=task)
    panel.legend(fontsize=7.5, frameon=False, loc="lower right", handletextpad=0.1)
    names(panel, 0.62, 0.5, summary.setup.all)
    title(panel, "share of each statistic that is held")
    panel.set_xlabel("predicted by the rules", fontsize=9, color=INK)
    panel.set_ylabel("measured (filled: of acting's)", fontsize=9, color=INK)
    panel.set_xlim(-0.05, 1.06)
    panel.set_ylim(-0.05, 1.06)
    furnish(panel)


def draw_retention(panel: Axes, summary: Summary, task: str) -> None:
    """Thin: seeds, thick: their mean; dashed: the exact curve of a memory of counts only."""
    deck = deck_of(summary.setup.env(task))
    for kind in reversed(summary.setup.all):
        t, curves = summary.retention(task, kind)
        if not len(curves):
            continue
        lag = np.arange(curves.shape[1])
        panel.plot(lag, curves.T, color=COLOURS[kind], linewidth=0.5, alpha=0.35)
        panel.plot(lag, curves.mean(axis=0), color=COLOURS[kind], linewidth=1.8)
    exact = by_lag(t + 1, deck.each, deck.num_kinds)
    panel.plot(np.arange(t + 1), exact, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    panel.axhline(math.log(deck.num_kinds), **DOTS)
    dashed = "dashed: counts only, exact"
    panel.text(0.42, 0.62, dashed, fontsize=8, color=INK, transform=panel.transAxes)
    title(panel, f"{task}: what is kept of each card after {t + 1}")
    panel.set_xlabel("cards ago", fontsize=9, color=INK)
    panel.set_ylabel("nats", fontsize=9, color=INK)
    panel.set_ylim(-0.05, 1.08 * math.log(deck.num_kinds))
    furnish(panel)


def draw_matrix(panel: Axes, summary: Summary, task: str) -> None:
    """Similarity of all networks; below, that of each pair of kinds with null and ceiling."""
    matrix, seeds, kinds = summary.matrix(task), summary.setup.seeds, summary.setup.all
    np.fill_diagonal(matrix, np.nan)
    panel.imshow(matrix, cmap="Blues", vmin=0, vmax=1)
    middle = seeds * (np.arange(len(kinds)) + 0.5) - 0.5
    panel.set_xticks(middle, kinds, fontsize=8)
    panel.set_yticks(middle, kinds, fontsize=8, rotation=90, va="center")
    panel.tick_params(length=0, colors=INK)
    for edge in seeds * np.arange(1, len(kinds)) - 0.5:
        panel.axhline(edge, color="white", linewidth=2)
        panel.axvline(edge, color="white", linewidth=2)
    for i, one in enumerate(kinds):
        for j, other in enumerate(kinds):
            block = matrix[np.ix_(summary.places(one), summary.places(other))]
            mean = np.nanmean(block)
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.85}
            place = {"ha": "center", "va": "center", "fontsize": 8.5, "color": INK, "bbox": box}
            panel.text(middle[j], middle[i], f"{mean:.2f}", **place)
    panel.spines[:].set_visible(False)
    labels = [f"{a}, {b}: {in_words(summary.likeness(task, a, b))}" for a, b in summary.pairs]
    panel.set_xlabel("\n".join(labels), fontsize=8, color=INK)
    title(panel, f"{task}: residual CKA")


def draw_order(panel: Axes, summary: Summary) -> None:
    """Order index of each kind and of the exact rules."""
    rows = ["counter", *summary.setup.kinds, "register", f"{UNTRAINED} action"]
    width = 0.8 / max(1, len(summary.suits))
    for i, task in enumerate(summary.suits):
        for j, kind in enumerate(rows):
            found = summary.by_seed(task, "ordered", "order_index", kind=kind)
            if not len(found):
                continue
            place = j + (i - (len(summary.suits) - 1) / 2) * width
            colour = COLOURS.get(kind, GREY if UNTRAINED in kind else INK)
            panel.bar(place, found.mean(), width * 0.9, color=colour, alpha=1 - 0.35 * i)
            panel.plot([place] * len(found), found, ".", color=INK, markersize=2.5)
    exact = {"counter": "counter,\nexact", "register": "register,\nexact"}
    labels = [exact.get(row, row.split()[0]) for row in rows]
    panel.set_xticks(range(len(rows)), labels, fontsize=8)
    title(panel, "order index: " + " (left), ".join(summary.suits) + " (right)")
    panel.set_ylabel("0: a multiset", fontsize=9, color=INK)
    furnish(panel)


def draw_transplants(panel: Axes, summary: Summary) -> None:
    """Recovery of each host by the kind of its donor, of all tasks."""
    tasks = summary.having("transplanted")
    hosts = [(task, host) for task in tasks for host in ("LM", "verdict")]
    for i, (task, host) in enumerate(hosts):
        for j, donor in enumerate(summary.setup.all):
            found = summary.by_seed(
                task, "transplanted", "recovery", host=host, donor=donor, map="any"
            )
            if not len(found):
                continue
            mean, low, high = over_networks(found)
            width = 0.8 / len(summary.setup.all)
            place = i + (j - (len(summary.setup.all) - 1) / 2) * width
            panel.bar(place, max(mean, -0.25), 0.9 * width, color=COLOURS[donor])
            panel.plot([place] * 2, np.clip([low, high], -0.25, 1.2), color=INK, linewidth=0.8)
    panel.axhline(1, **DOTS)
    panel.axhline(0, color=INK, linewidth=0.6)
    labels = [f"{host}\n" + re.sub(r"(?<=[a-z])(?=[A-Z])", "\n", task) for task, host in hosts]
    panel.set_xticks(range(len(hosts)), labels, fontsize=7)
    names(panel, 1.0, 0.93, summary.setup.all)
    title(panel, "recovery with a mapped state, by its donor")
    panel.set_ylim(-0.3, 1.2)
    furnish(panel)


def one(draw: Callable[..., None], *of, size: tuple[float, float] = (5.2, 4.0)) -> Figure:
    """A figure of one panel."""
    figure = Figure(figsize=size, layout="constrained")
    draw(figure.subplots(), *of)
    return figure


def pictures(summary: Summary) -> dict[str, list[Picture]]:
    """The figures of the page, by topic."""

    def per_task(draw, tasks, shows):
        return [Picture(one(draw, summary, task), f"{shows}, {task}") for task in tasks]

    order = "Order index of every kind of network beside an exact counter and an exact register"
    return {
        "overlap": [
            Picture(
                one(draw_overlap, summary),
                "Measured against predicted share of each statistic, one point per kind and task",
                "On the dotted line a network holds what its objective needs and no more; above "
                "it, more. Ticks at the left edge: untrained networks.",
            )
        ],
        "retention": per_task(
            draw_retention, summary.having("retained"), "Nats kept of each earlier card"
        ),
        "matrix": per_task(draw_matrix, summary.setup.tasks, "Similarity of all pairs of networks"),
        "order": [Picture(one(draw_order, summary), order)],
        "transplants": [
            Picture(
                one(draw_transplants, summary, size=(8.0, 3.6)),
                "Recovery of language models and agents that continue from another's state",
            )
        ],
    }


def draw(summary: Summary) -> Figure | None:
    """The six in one, if a suits game is among the tasks."""
    suits = summary.suits
    if not suits:
        return None
    figure = Figure(figsize=(13.5, 8.2), layout="constrained")
    panels = figure.subplots(2, 3)
    draw_overlap(panels[0, 0], summary)
    draw_retention(panels[0, 1], summary, suits[0])
    draw_retention(panels[0, 2], summary, suits[-1])
    draw_matrix(panels[1, 0], summary, suits[-1])
    draw_order(panels[1, 1], summary)
    draw_transplants(panels[1, 2], summary)
    return figure


TITLES = {
    "tokens": "tokens read",
    SUPERVISION_METRICS[0]: "tokens that made a gradient",
    SUPERVISION_METRICS[1]: "nats of feedback, as the learner expects",
}


def on_axes(summary: Summary) -> list[str]:
    """The tasks whose curves hold all three axes; the first studies did not store them."""
    kinds = summary.setup.kinds
    curves = {task: [summary.curves[summary.setup.cell(task, k)] for k in kinds]
              for task in summary.setup.tasks}  # fmt: skip
    return [task for task, all_ in curves.items() if all(set(TITLES) <= set(c) for c in all_)]


def draw_learning(summary: Summary) -> Figure:
    """One row per task: competence over each axis, thin: seeds, thick: their mean."""
    tasks, seeds = on_axes(summary), summary.setup.seeds
    figure = Figure(figsize=(10, 2.3 * len(tasks) + 0.4), layout="constrained")
    panels = figure.subplots(len(tasks), 3, sharey="row", squeeze=False)
    for row, task in zip(panels, tasks, strict=True):
        for panel, axis in zip(row, TITLES, strict=True):
            for kind in summary.setup.kinds:
                curve = summary.curves[summary.setup.cell(task, kind)]
                x, y = (curve[name].reshape(-1, seeds)[1:] for name in (axis, "competence"))
                if not (x > 0).all():  # the nats of rewards are not always known
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
    """The corners of a probability simplex in the plane."""
    angle = 2 * np.pi * np.arange(number) / number + np.pi / 4
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def draw_beliefs(summary: Summary, task: str) -> Figure:
    """Exact beliefs and those decoded by least squares from the first seed of each kind, in the
    plane: each distribution is the mean of its corners. For a bandit: the first two arms."""
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


def learning_pictures(summary: Summary) -> dict[str, list[Picture]]:
    """The figures of the page for which there are numbers."""
    found = {}
    if on_axes(summary):
        shows = "Learning curves over tokens, tokens that made a gradient, and nats of feedback"
        found["learning"] = [Picture(draw_learning(summary), shows)]
    shaped = summary.having("shaped")
    if shaped:
        found["beliefs"] = [
            Picture(
                draw_beliefs(summary, task),
                f"Exact beliefs and those decoded from states, {task}",
                "Each point is the next-token distribution after one history, the mean of its "
                "corners; for a bandit the posterior means of two arms. Dark: early; light: late.",
            )
            for task in shaped
        ]
    return found
