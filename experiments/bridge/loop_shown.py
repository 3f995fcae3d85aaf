"""The page of `popjax bridge loop`: its findings, figures and tables."""

from __future__ import annotations

from dataclasses import asdict

from experiments.bridge import loop_figure as figure
from experiments.bridge import loop_report as report
from experiments.bridge.loop import Setup
from experiments.bridge.loop_findings import findings, lead
from experiments.bridge.page import Picture, Section
from experiments.bridge.presenting import Shown


def shown(tables: report.Tables, setup: Setup, preset: str) -> Shown:
    """All that the tables of a study say."""
    found = findings(tables, setup)
    deck, bandit = report.deck_table(tables, setup), report.bandit_table(tables, setup)
    dreams, frontier = report.dream_table(tables, setup), report.frontier_table(tables)
    summary = figure.draw(tables, setup)
    all_decks = figure.draw_decks(tables, setup)
    return Shown(
        "loop",
        "Opening and closing the loop",
        lead(found),
        found,
        (deck, bandit, dreams, frontier),
        [
            Section(
                "In short",
                report.WHAT,
                [Picture(summary, "Both loops, lock-in, dreams and the frontier")],
            ),
            Section("Copying", "", [deck, Picture(all_decks, "Both loops, step by step")]),
            Section("Believing one's own guesses, dreaming, forgetting", "",
                    [bandit, dreams, frontier]),
        ],
        summary,
        100,
        {"preset": preset, **asdict(setup)},
    )  # fmt: skip
