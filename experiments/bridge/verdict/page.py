"""The page of `popjax bridge verdict`: its findings, figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from experiments.bridge import rates
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.verdict import figures as figure
from experiments.bridge.verdict import findings as outcomes
from experiments.bridge.verdict import report
from experiments.bridge.verdict.config import Curves, Part, Setup
from experiments.bridge.verdict.findings import findings, lead
from experiments.results.store import Table


def shown(
    curves: dict[Part, Curves],
    setup: Setup,
    preset: str,
    tried: dict[Part, Table],
    grids: Sequence[Grid] = (),
    sections: Sequence[Section] = (),
) -> Shown:
    """All that the curves of a study say. tried: learning rates. grids, sections: of
    other studies that belong on its page."""
    found = findings(curves, setup)
    tables = [report.curve_table(curves, setup), report.parts_table(curves, setup)]
    beside = outcomes.beside_table(curves, setup)
    tables += [beside] if beside else []
    if tried:
        tables.append(rates.grid(tried, {p: report.named(p) for p in tried}, "right", "fastest"))
    summary = figure.draw(curves, setup)
    price = Picture(summary, "Tokens to a criterion against the closed form, and learning curves")
    on_the_way = [
        Picture(figure.draw_all_curves(curves, setup), "Learning curves on three axes"),
        Picture(figure.draw_gradients(curves, setup), "Signal, noise and direction on the way"),
    ]
    return Shown(
        "verdict",
        "The price of a verdict",
        lead(found),
        [*found, *outcomes.findings_of_games(curves, setup)],
        [*tables, *grids],
        [
            Section("What it costs", report.WHAT, [price, *tables]),
            Section("On the way", "", on_the_way),
            *sections,
        ],
        summary,
        110,
        {"preset": preset, **asdict(setup)},
    )
