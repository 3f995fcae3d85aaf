"""What a person sees while cells run: a table with a bar a cell on a terminal, and everywhere a
line a cell that has ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.results.errors import UserError
from experiments.results.lock import owner
from experiments.results.spec import CellSpec
from experiments.results.store import Cell
from experiments.results.study import read_cell
from experiments.results.tables import format_duration
from popjax import scores

BAR = 20
WORTH_SAYING = 20.0  # seconds
AROUND = 8  # lines of a terminal that are left for what is said meanwhile


@dataclass
class _Line:
    """What is known of one cell."""

    stage: str = ""
    began: float | None = None
    seconds: float | None = None
    news: dict[str, Any] = field(default_factory=dict)
    ended: str = ""
    result: str = ""


class Display:
    """Takes the news of cells, each by its spec, and shows them."""

    def __init__(self, study: Path, specs: Sequence[CellSpec], console: Console):
        self._study, self._specs, self._console = study, tuple(specs), console
        self._lines = {spec.id: _Line() for spec in specs}
        self._place = {spec.id: i + 1 for i, spec in enumerate(specs)}
        self._waits = False
        self._live = Live(
            console=console, get_renderable=self.table, transient=True, refresh_per_second=2
        )

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *reason: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def title(self, spec: CellSpec) -> str:
        """A cell by its place, environment and memory."""
        regime = "" if spec.regime == "ppo" else f" as {spec.regime}"
        place = f"[{self._place[spec.id]}/{len(self._specs)}]"
        return f"{place} {spec.env} {spec.memory}{regime}"

    def begins(self, spec: CellSpec) -> None:
        """The clock of a cell starts."""
        line = self._lines[spec.id]
        line.began, line.ended = time.perf_counter(), ""

    def news(self, spec: CellSpec, news: dict[str, Any]) -> None:
        """The news of `experiments.train.run.run_cell`."""
        line = self._lines[spec.id]
        if line.began is None or news["stage"] == "compiling":
            self.begins(spec)
        first = news["stage"] == "training" and line.stage != "training"
        line.news.update(news)
        line.stage = news["stage"]
        if first:
            self._forecast(spec, news)

    def _forecast(self, spec: CellSpec, news: dict[str, Any]) -> None:
        """After the first segment of a cell that runs alone: how long the others will take."""
        rate = news.get("steps_per_second")
        left = (spec.num_updates - news["update"]) * spec.steps_per_update * len(spec.seeds)
        if len(self._specs) == 1 and rate and left / rate > WORTH_SAYING:
            self._say(spec, f"about {format_duration(left / rate)} to go")

    def ended(self, spec: CellSpec, outcome: str, why: str = "") -> None:
        """How a cell ended, as a line: "finished", "skipped", "busy", or "failed" and why."""
        line = self._lines[spec.id]
        if line.began is not None:
            line.seconds = time.perf_counter() - line.began
        line.ended, line.stage = outcome, ""
        if outcome == "busy":
            if not self._waits:
                self._say(spec, f"waits for {owner(Cell(self._study, spec).folder / 'lock')}")
            self._waits = True
        elif outcome == "failed":
            self._say(spec, f"failed: {why}", "red")
        elif outcome == "skipped":
            self._say(spec, "finished before")
        else:
            reached = reached_words(self._study, spec)
            line.result = reached or format_news(line.news)
            took = "" if line.seconds is None else format_duration(line.seconds)
            self._say(spec, ", ".join(filter(None, (line.result, took))))

    def _say(self, spec: CellSpec, text: str, style: str | None = None) -> None:
        self._console.print(f"{self.title(spec)}  {text}", style=style, markup=False)

    def table(self) -> Table:
        """The cells as a table; where they do not all fit, those at work, then what is next."""
        room = max(3, self._console.height - AROUND)
        shown = list(self._specs)
        if len(shown) > room:
            waiting = [spec for spec in shown if not self._lines[spec.id].ended]
            waiting.sort(key=lambda spec: self._lines[spec.id].began is None)
            shown = waiting[:room]
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(no_wrap=True)
        table.add_column(width=BAR)
        table.add_column(no_wrap=True)
        table.add_column(justify="right", no_wrap=True)
        for spec in shown:
            line = self._lines[spec.id]
            table.add_row(
                spec.env,
                spec.memory if spec.regime == "ppo" else f"{spec.memory} as {spec.regime}",
                self._bar(spec, line),
                Text(_state(spec, line)),
                _clock(line),
                style="dim" if line.began is None and not line.ended else None,
            )
        return table

    def _bar(self, spec: CellSpec, line: _Line) -> ProgressBar:
        whole = line.ended in ("finished", "skipped")
        done = spec.num_updates if whole else line.news.get("update", 0)
        return ProgressBar(total=spec.num_updates, completed=done, width=BAR)


def _state(spec: CellSpec, line: _Line) -> str:
    if line.ended:
        words = {"skipped": "finished before", "busy": "another process has it"}
        return line.result or words.get(line.ended, line.ended)
    if line.stage != "training":
        return line.stage
    if line.news.get("return") is None:
        return format_news(line.news)
    return _on_scale(spec.env, line.news["return"])


def _on_scale(env: str, mean: float) -> str:
    """A mean return, and where it lies on the one scale if that is known."""
    normalised = float(scores.normalise(env, mean))
    text = f"return {mean:.3f}"
    return text if normalised != normalised else f"normalised {normalised:.2f}, {text}"


def _clock(line: _Line) -> str:
    seconds = line.seconds if line.ended or line.began is None else time.perf_counter() - line.began
    return "" if seconds is None else format_duration(seconds)


def reached_words(study: Path, spec: CellSpec) -> str:
    """What a finished cell's agents reached, in a few words; "" where there is no agent."""
    try:
        row = read_cell(Cell(study, spec).folder)
    except UserError:  # it is named where the results are read
        return ""
    if row.final is None:
        return ""
    mean = float(row.final.mean())
    standing = "solved: " if scores.solved(spec.env, mean) else ""
    words = standing + _on_scale(spec.env, mean)
    if row.diverged:
        words += f", diverged: seeds {', '.join(map(str, row.diverged))}"
    return f"{words}, {row.summary['steps_per_second'] or 0:,.0f} steps/s"


def format_news(news: dict[str, Any]) -> str:
    """The latest of a cell in training in a few words.

    >>> format_news({"return": 0.5, "steps_per_second": 12_345.0})
    'return 0.500, 12.3k steps/s'
    """
    parts = []
    for headline in ("return", "nats", "loss"):
        if news.get(headline) is not None:
            parts.append(f"{headline} {news[headline]:.3f}")
    if news.get("steps_per_second"):
        parts.append(f"{news['steps_per_second'] / 1e3:.1f}k steps/s")
    if news.get("diverged"):
        parts.append(f"diverged: seeds {', '.join(map(str, news['diverged']))}")
    return ", ".join(parts)
