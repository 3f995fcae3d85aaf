"""Figures of the closed loop: both loops by step, lock-in, generated decks by horizon, and the
frontier of reward against forgetting."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.bridge.loop.config import BANDIT_WAYS, STOPS, LoopConfig
from experiments.bridge.loop.panels import OWN, plot_loops
from experiments.bridge.loop.report import Deck, Tables, pick, stops
from experiments.reports.statistics import iqm
from experiments.reports.style import DOTS, GREY, INK, furnish
from experiments.results.store import Table

BLUE, GREEN = "#1d4ed8", "#0f766e"
SHORT = {
    "privileged": "clone of seeing expert",
    "masked": "own actions hidden",
    "history": "clone of history-based",
    "dagger": "labels, own play",
    "rewards": "rewards",
    "Thompson sampling": "Thompson",
}

PLACES = {
    "win-stay, lose-shift": (2, -12),
    "Thompson sampling": (6, -9),
    "finite-horizon index": (8, -9),
    "random": (6, -10),
    "dagger": (6, 6),
    "rewards": (8, -4),
    "history": (8, 5),
}
"""Positions of the names beside their points, which lie close together."""


def draw(tables: Tables, setup: LoopConfig) -> Figure:
    """The summary: one panel per result."""
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    (copy, repaired, bandit), (dream, excess, frontier) = figure.subplots(2, 3)
    deck = setup.decks[-1]
    draw_deck(copy, Deck(tables[f"deck {deck}", "clone"], STOPS[0]), "clone at 99 %")
    draw_deck(repaired, Deck(tables[f"deck {deck}", "dagger"], STOPS[0]), "DAgger at 99 %")
    name_loops(copy)
    draw_bandit(bandit, tables, setup)
    draw_dreams(dream, excess, tables, setup)
    draw_frontier(frontier, tables["frontier", "tuning"])
    return figure


def draw_deck(panel: Axes, it: Deck, title: str, alone: str = ": earns {:.2f} alone") -> None:
    """One condition on one deck at one stop. alone: the format of the return in the title."""
    panel.axhline(0.25, **DOTS)
    if it.came:
        plot_loops(panel, it.open_right, it.closed_right, it.copier)
        title += alone.format(iqm(it.returns))
    panel.set_ylim(0.1, 1.03)
    panel.set_yticks([0.25, 0.5, 0.75, 1], ["chance", "0.5", "0.75", "1"])
    panel.set_title(title, loc="left", fontsize=10, color=INK)
    panel.set_xlabel("step of the episode", fontsize=9, color=INK)
    furnish(panel)


def name_loops(panel: Axes) -> None:
    panel.set_ylabel("probability of the right action", fontsize=9, color=INK)
    words = (("the expert acts", GREY), ("it acts itself", OWN), ("a copier, closed form", INK))
    for i, (name, colour) in enumerate(words):
        panel.text(0.03, 0.25 - 0.08 * i, name, color=colour, fontsize=9, transform=panel.transAxes)


def draw_bandit(panel: Axes, tables: Tables, setup: LoopConfig) -> None:
    """Returns against the share of episodes that never left their first arm."""
    players = tables["bandit", "players"]
    for name in stops(players):
        x, y = (iqm(pick(players, what, name)[:, 0]) for what in ("stayed", "return"))
        panel.plot(x, y, "o", color=GREY, markersize=5)
        place = PLACES.get(name, (6, -3))
        panel.annotate(SHORT.get(name, name), (x, y), place, textcoords="offset points",
                       fontsize=8, color=GREY)  # fmt: skip
    for name in BANDIT_WAYS:
        x, y = (pick(tables["bandit", name], what, "end")[:, 0] for what in ("stayed", "return"))
        panel.plot(x, y, ".", color=OWN, markersize=4, alpha=0.5)
        panel.plot(iqm(x), iqm(y), "D", color=OWN, markersize=5)
        right = iqm(x) > 0.5
        place = (-6, 6) if right else PLACES.get(name, (6, 5))
        panel.annotate(SHORT[name], (iqm(x), iqm(y)), place, textcoords="offset points",
                       fontsize=8, color=OWN, ha="right" if right else "left")  # fmt: skip
    panel.axhline(0, **DOTS)
    panel.set_xlim(-0.05, 1.05)
    panel.set_xlabel("share of episodes that never left the first arm", fontsize=9, color=INK)
    panel.set_title(f"bandit of {setup.arms} arms: return", loc="left", fontsize=10, color=INK)
    furnish(panel)


def draw_dreams(dream: Axes, excess: Axes, tables: Tables, setup: LoopConfig) -> None:
    """Broken decks by horizon, and the loss over the same steps."""
    for deck, colour in zip(setup.decks, (BLUE, OWN, GREEN), strict=False):
        table = tables["dreams", deck]
        broken, impossible = (pick(table, name, "end") for name in ("broken", "impossible"))
        t = np.linspace(0, 1, broken.shape[1])
        dream.plot(t, broken.T, color=colour, linewidth=0.5, alpha=0.4)
        dream.plot(t, broken.mean(axis=0), color=colour, linewidth=1.8)
        dream.plot(t, impossible.mean(axis=0), color=colour, linewidth=1.2, linestyle=(0, (1, 1)))
        curve = pick(table, "dealt_excess", "end")
        excess.plot(t, curve.T, color=colour, linewidth=0.5, alpha=0.4)
        excess.plot(t, curve.mean(axis=0), color=colour, linewidth=1.8)
        name = f"{deck} ({broken.shape[1] + 1} cards)"
        place = 0.9 - 0.08 * setup.decks.index(deck)
        dream.text(0.03, place, name, color=colour, fontsize=9, transform=dream.transAxes)
    dream.set_title("generated decks with a surplus card\n(dots: such a card at this step)",
                    loc="left", fontsize=10, color=INK)  # fmt: skip
    excess.set_title("excess over exact, dealt decks, nats", loc="left", fontsize=10,
                     color=INK)  # fmt: skip
    excess.axhline(0.02, **DOTS)
    dream.set_ylim(0, 1)
    for panel in (dream, excess):
        panel.set_xlabel("share of the deck", fontsize=9, color=INK)
        furnish(panel)


def draw_frontier(panel: Axes, table: Table) -> None:
    """Return against forgotten nats, along each run."""
    names = stops(table)
    shades = [BLUE, "#6d83e8", "#a3b1f0", "#c7cff6", "#dfe4fa"]
    for i, stop in enumerate(names):
        colour = OWN if stop == "transcripts" else shades[min(i, len(shades) - 1)]
        x, y = (pick(table, what, stop) for what in ("forgotten", "return"))
        panel.plot(x.mean(axis=0), y.mean(axis=0), color=colour, linewidth=1.6)
        panel.plot(x[:, -1], y[:, -1], "o", color=colour, markersize=3)
        label = "an expert's transcripts" if stop == "transcripts" else stop
        panel.text(0.45, 0.06 + 0.08 * i, label, color=colour, fontsize=8.5,
                   transform=panel.transAxes)  # fmt: skip
    panel.axvline(0, **DOTS)
    panel.set_xlabel("forgotten nats per card", fontsize=9, color=INK)
    panel.set_title("tuning a mediocre model: return", loc="left", fontsize=10, color=INK)
    furnish(panel)


def draw_decks(tables: Tables, setup: LoopConfig) -> Figure:
    """Every condition, deck and stop."""
    rows = [(deck, stop) for deck in setup.decks for stop in STOPS]
    figure = Figure(figsize=(10, 2.6 * len(rows)), layout="constrained")
    panels = figure.subplots(len(rows), len(setup.ways), sharey=True, squeeze=False)
    for line, (deck, stop) in zip(panels, rows, strict=True):
        for panel, (name, way) in zip(line, setup.ways.items(), strict=True):
            it = Deck(tables[f"deck {deck}", name], stop)
            draw_deck(panel, it, f"{deck}, {way.title}, {stop}")
            panel.title.set_fontsize(8)
    name_loops(panels[0, 0])
    return figure
