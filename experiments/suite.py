"""Running many cells: say what will be done, do it, go on after any interruption."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from experiments.errors import UserError
from experiments.results import Cell
from experiments.specs import CellSpec
from experiments.train import run_cell


def run_cells(
    study: Path, specs: Sequence[CellSpec], console: Console, log: Sequence[str] = ()
) -> list[str]:
    """Runs the cells one after another in this process; returns what became of each.

    A cell that fails is reported and the others go on; Ctrl-C says how to go on. log: names of
    `experiments.sinks`.
    """
    finished = sum(Cell(study, spec).finished for spec in specs)
    steps = sum(spec.env_steps for spec in specs if not Cell(study, spec).finished)
    console.print(
        f"{len(specs)} cells in {study}: {finished} finished, {len(specs) - finished} to run, "
        f"as many compilations, {steps / 1e6:.2f} million environment steps"
    )
    outcomes = []
    for number, spec in enumerate(specs, 1):
        costume = "" if spec.regime == "ppo" else f" as {spec.regime}"
        title = f"[{number}/{len(specs)}] {spec.env} {spec.memory}{costume}"
        try:
            outcomes.append(_run_one(study, spec, title, console, log))
        except KeyboardInterrupt:
            console.print(
                f"stopped; what is finished is kept in {study}, the same command goes on from there"
            )
            raise
        except UserError:
            raise
        except Exception as error:  # one broken cell must not cost the others
            reason = (str(error).strip().splitlines() or [""])[0][:200]
            console.print(f"{title}  failed: {type(error).__name__}: {reason}", style="red")
            outcomes.append("failed")
    return outcomes


def _run_one(study: Path, spec: CellSpec, title: str, console: Console, log: Sequence[str]) -> str:
    began = time.perf_counter()
    last: dict[str, Any] = {}
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[news]}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as progress:
        task = progress.add_task(title, total=spec.num_updates, news="")

        def report(news: dict[str, Any]) -> None:
            last.update(news)
            progress.update(task, completed=news["update"], news=_words(news))

        outcome = run_cell(study, spec, report, log)
    took = f"{time.perf_counter() - began:.0f} s"
    if outcome == "finished":
        console.print(f"{title}  {_words(last | {'stage': 'training'})}, {took}")
    elif outcome == "skipped":
        console.print(f"{title}  finished before")
    else:
        console.print(f"{title}  another process is at work on it")
    return outcome


def _words(news: dict[str, Any]) -> str:
    if news["stage"] != "training":
        return news["stage"]
    parts = []
    for headline in ("return", "nats", "loss"):
        if news.get(headline) is not None:
            parts.append(f"{headline} {news[headline]:.3f}")
    if news.get("steps_per_second"):
        parts.append(f"{news['steps_per_second'] / 1e3:.1f}k steps/s")
    if news.get("diverged"):
        parts.append(f"diverged: seeds {', '.join(map(str, news['diverged']))}")
    return ", ".join(parts)
