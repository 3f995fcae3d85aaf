"""`popjax bridge loop`: its parts, findings, figures and tables."""

from __future__ import annotations

from experiments.bridge.loop import boards_report as boards
from experiments.bridge.loop import conditions, report
from experiments.bridge.loop import figures as figure
from experiments.bridge.loop.boards_report import draw_boards
from experiments.bridge.loop.config import MEMORIES_OF, PRESETS, LoopConfig, title_of
from experiments.bridge.loop.findings import findings, lead
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import Context, Stage, Study, Watch, record_of
from experiments.results.store import Table


def shown(context: Context, preset: str) -> Shown:
    """All results of the tables of a study."""
    tables, setup = context.tables["parts"], context.config
    found = findings(tables, setup)
    deck, bandit = report.deck_table(tables, setup), report.bandit_table(tables, setup)
    dreams, frontier = report.dream_table(tables, setup), report.frontier_table(tables)
    summary = figure.draw(tables, setup)
    all_decks = figure.draw_decks(tables, setup)
    more = [boards.board_table(tables, setup), boards.tuned_table(tables, setup)]
    more = more if setup.boards else []
    return Shown(
        "loop",
        "Opening and closing the loop",
        lead(found),
        [*found, *boards.findings(tables, setup)],
        (deck, bandit, dreams, frontier, *more),
        [
            Section(
                "In short",
                report.WHAT,
                [Picture(summary, "Both loops, lock-in, generated decks and the frontier")],
            ),
            Section("Copying", "", [deck, Picture(all_decks, "Both loops, step by step")]),
            Section("Self-delusion, hallucination, forgetting", "",
                    [bandit, dreams, frontier]),
            *on_boards(tables, setup, more),
        ],
        summary,
        100,
        {"preset": preset, **record_of(setup)},
    )  # fmt: skip


def on_boards(tables: report.Tables, setup: LoopConfig, grids: list[Grid]) -> list[Section]:
    """The section of the boards, if any were run."""
    if not setup.boards:
        return []
    picture = Picture(draw_boards(tables, setup), boards.SHOWS)
    return [Section("Boards, where actions affect observations", boards.WHAT, [picture, *grids])]


def run_condition(context: Context, condition: tuple[str, str], watch: Watch) -> Table:
    """One part of one game."""
    return conditions.run_part(context.config, *condition)


STUDY = Study(
    name="loop",
    presets=PRESETS,
    stages=[
        Stage(
            "parts",
            conditions=lambda config: {
                part: "-".join(part).replace(" ", "-") for part in config.parts
            },
            title=lambda part: f"{part[0]}, {title_of(*part)}",
            run=run_condition,
        )
    ],
    shown=shown,
    memories=MEMORIES_OF,
)
