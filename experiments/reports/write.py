"""From a study's folder to `report.html` and `figures/`."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from experiments.reports import style
from experiments.reports.aggregates import Aggregate, aggregates, aggregates_sheet
from experiments.reports.configuration import configuration_sheets, facts_of, unfinished_sheets
from experiments.reports.curves import (
    LINES,
    curves_figure,
    grouped,
    has_gaps,
    marks,
    panel_figure,
)
from experiments.reports.overall import aggregates_figure, cost_figure, map_figure, profiles_figure
from experiments.reports.page import Pictures, Section, page
from experiments.reports.scale import scale_svg
from experiments.reports.tables import (
    agents_of,
    agents_sheet,
    cost_sheet,
    models_of,
    models_sheet,
    solved_words,
)
from experiments.results.store import read_study_json, write_atomically
from experiments.results.study import Row, labels, unfinished
from experiments.results.tables import Sheet, format_duration, format_value

SCALE = (
    "Dots: seeds. Ticks: random play at 0 and the reference player at 1, in all lines in the same "
    "places; short: the best policy without memory. Ring: the paper's GRU (its MMER)."
)
ELSEWHERE = ("steps/seed", "steps/s")  # in the table of costs


def write_report(folder: Path, rows: Sequence[Row]) -> Path:
    """Writes `report.html`, `figures/*.svg, *.png` and the page with the toggle into the folder of
    a study."""
    asked = read_study_json(folder)
    with matplotlib.rc_context(style.STYLE):
        parts = Parts(folder.name, list(rows), folder / "figures")
        sections = parts.sections()
    missing = unfinished(folder)
    sheets = [*unfinished_sheets(missing), *configuration_sheets(asked, rows)]
    sections.append(Section("configuration", "Configuration", folded=sheets))
    text = page(folder.name, parts.lead(), facts_of(rows, len(missing)), sections)
    path = folder / "report.html"
    write_atomically(path, text.encode())
    return path


class Parts:
    """The sections of a report, whose figures share names and colours."""

    def __init__(self, study: str, rows: list[Row], figures: Path):
        self.study, self.rows, self.figures = study, rows, figures
        self.agents, self.models = agents_of(rows), models_of(rows)
        self.found: list[Aggregate] = aggregates(self.agents)
        ranked = [one.who for one in self.found]
        others = sorted(set(labels(rows)) - set(ranked))
        self.colours = style.colour_of([*ranked, *others])

    def lead(self) -> str:
        """The first thing to know."""
        if not self.agents:
            return "Nats a token on held-out episodes, beside the floor on the very same ones."
        if not self.found:
            return solved_words(self.agents)
        best = self.found[0]
        envs = f"{len(best.strata)} environment" + "s" * (len(best.strata) > 1)
        return (
            f"Best memory: {best.who}, interquartile mean {format_value(best.iqm, 2)} of "
            f"normalised final returns over {envs}, where 0 is random play and 1 a reference "
            "player."
        )

    def sections(self) -> list[Section]:
        sections = []
        if self.agents:
            sections += [self._results(), *self._overall(), self._curves(self.agents, "return")]
        if self.models:
            sheet = models_sheet(self.study, self.models)
            sections.append(Section("models", "Language models", sheets=[sheet]))
            with_nats = [row for row in self.models if "nats" in row.metrics]
            if with_nats:
                sections.append(self._curves(with_nats, "nats"))
        figure = self._figure("cost", cost_figure(self.rows, self.colours), "Seconds a cell")
        sheet = cost_sheet(self.study, self.rows)
        total = sum(
            row.summary[kind]
            for row in self.rows
            for kind in ("compile_seconds", "train_seconds", "eval_seconds")
        )
        steps = sum(row.spec.env_steps for row in self.rows)
        about = [
            f"{steps / 1e6:,.1f} million environment steps in {format_duration(total)} of the "
            "machine named below; cells that went on after a stop count since they last began."
        ]
        sections.append(Section("cost", "Compute", about, [figure], folded=[sheet]))
        return sections

    def _results(self) -> Section:
        sheet = agents_sheet(self.study, self.agents)
        columns = [column for column in sheet.columns if column.name not in ELSEWHERE]
        sheet = dataclasses.replace(sheet, columns=columns)
        lines = [scale_svg(row.spec.env, row.final) for row in self.agents]
        pictures = Pictures("on the scale", SCALE, "normalised", lines)
        about = [f"On the scale: {SCALE[0].lower()}{SCALE[1:]}"]
        return Section("results", "Each environment", about, sheets=[sheet], pictures=pictures)

    def _overall(self) -> list[Section]:
        if not self.found:
            return []
        sheet: Sheet = aggregates_sheet(self.study, self.found)
        first = self._figure(
            "aggregates", aggregates_figure(self.found, self.colours), "Aggregates with intervals"
        )
        second = self._figure(
            "profiles", profiles_figure(self.found, self.colours), "Performance profiles"
        )
        section = Section("overall", "Over all environments", (), [first, second], sheets=[sheet])
        envs = list(dict.fromkeys(row.spec.env for row in self.agents))
        tiles = self._figure("map", map_figure(self.found, envs), "Memory by environment")
        about = ["Mean normalised final return: 0 is random play, 1 the reference player."]
        return [section, Section("map", "Memory by environment", about, [tiles])]

    def _curves(self, rows: list[Row], metric: str) -> Section:
        by_env: dict[str, list[Row]] = {}
        for row in rows:
            by_env.setdefault(row.spec.env, []).append(row)
        own = set(labels(rows))
        colours = {who: colour for who, colour in self.colours.items() if who in own}
        title = {"return": "Learning curves", "nats": "Learning curves of language models"}[metric]
        about = {
            "return": "Normalised return while training (sampled actions; 0: random play, 1: the "
            "reference player)",
            "nats": "Nats a token while training",
        }[metric] + ", by environment steps. Thin: seeds; thick: their interquartile mean."
        if any(has_gaps(row, metric) for row in rows):
            about += " Dots: where a line goes on over updates in which no episode ended."
        if any(row.diverged for row in rows):
            about += " The line of a seed that diverged ends there."
        name = "curves" if metric == "return" else "curves-nats"
        style.save(curves_figure(by_env, metric, colours, about), self.figures, name)
        panels = []
        for env, own_rows in by_env.items():
            svg = style.svg_of(panel_figure(own_rows, metric, colours), f"{name}-{env}")
            panels.append(style.page_svg(svg, f"{name}-{env}", f"{title}: {env}"))
        lines = grouped(colours).items()
        legend = [(who, f"color: var(--{style.VARIABLES[colour]})") for who, colour in lines]
        for mark in marks(next(iter(by_env.values()))[0], metric):
            dash = "dotted" if LINES[mark][1][0] == 1 else "dashed"
            legend.append((mark, f"color: var(--quiet); border-top: 1.5px {dash}"))
        return Section(name, title, [about], panels=panels, legend=legend)

    def _figure(self, name: str, figure: Figure, title: str) -> str:
        return style.page_svg(style.save(figure, self.figures, name), name, title)
