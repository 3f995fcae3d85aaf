"""`popjax bridge verdict`: its parts, findings, figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from experiments.bridge import rates
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import Context, Stage, Study, Watch, curves_of, mean_at_end
from experiments.bridge.verdict import conditions, report
from experiments.bridge.verdict import figures as figure
from experiments.bridge.verdict import findings as outcomes
from experiments.bridge.verdict.config import MEMORIES_OF, PRESETS, Condition
from experiments.bridge.verdict.findings import findings, lead
from experiments.results.store import Table


def shown(
    context: Context, preset: str, grids: Sequence[Grid] = (), sections: Sequence[Section] = ()
) -> Shown:
    """All results of a study's curves. grids, sections: of nested studies shown on its page."""
    setup, tried = context.config, context.tables["rates"]
    curves = curves_of(context.tables["parts"], setup.seeds)
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
        Picture(figure.draw_gradients(curves, setup), "Signal, noise and direction of gradients"),
    ]
    return Shown(
        "verdict",
        "The price of a verdict",
        lead(found),
        [*found, *outcomes.findings_of_games(curves, setup)],
        [*tables, *grids],
        [
            Section("What it costs", report.WHAT, [price, *tables]),
            Section("During training", "", on_the_way),
            *sections,
        ],
        summary,
        110,
        {"preset": preset, **asdict(setup)},
    )


def try_rates(context: Context, part: Condition, watch: Watch) -> Table:
    return conditions.try_rates(context.config, part, watch)


def run_part(context: Context, part: Condition, watch: Watch) -> Table:
    rate = conditions.chosen_rate(context.config, context.tables["rates"], part)
    return conditions.run_part(context.config, part, rate, watch)


STUDY = Study(
    name="verdict",
    presets=PRESETS,
    stages=[
        Stage(
            "rates",
            conditions=lambda config: {
                part: f"{conditions.name_of(part)}-rates" for part in config.parts if config.rates
            },
            title=conditions.title_of,
            run=try_rates,
            about=rates.best_in_words("right", "fastest"),
        ),
        Stage(
            "parts",
            conditions=lambda config: {part: conditions.name_of(part) for part in config.parts},
            title=conditions.title_of,
            run=run_part,
            about=mean_at_end("right"),
        ),
    ],
    shown=shown,
    memories=MEMORIES_OF,
)
