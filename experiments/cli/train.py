"""The commands `popjax play`, `train` and `report`."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from agents.ranges import Seed
from experiments.results.errors import IncompleteError, UserError
from experiments.results.spec import CellSpec, Settings
from experiments.sweep.launch.resources import Launch
from experiments.train.build import env_name, memory_name
from experiments.train.cell import cell
from experiments.train.objectives import regime_name
from experiments.train.settings.presets import (
    merge_overrides,
    named_settings,
    source_of,
    without_overrides,
)

DEFAULT_OUT = Path("results")
RegimeName = Annotated[str, tyro.conf.arg(aliases=["--as"])]
SettingsName = Annotated[str, tyro.conf.arg(name="settings")]


@dataclass(frozen=True)
class Play:
    """Play an environment yourself, in the terminal.

    Example: popjax play CountRecallEasy
    """

    env: tyro.conf.Positional[str]
    """Environment, such as CountRecallEasy."""
    seed: Seed | None = None
    """Seed of the episode; by default a new one every time."""
    reveal: bool = False
    """Show what is hidden."""

    def run(self, console: Console) -> None:
        import secrets

        from popjax import ENVS
        from popjax.play import play

        name = env_name(self.env)
        seed = secrets.randbelow(2**32) if self.seed is None else self.seed
        play(ENVS[name], name, sys.stdin, sys.stdout, seed, reveal=self.reveal)
        again = f"popjax play {name} --seed {seed} plays the same episode again"
        console.print(again, highlight=False)


@dataclass(frozen=True)
class Train:
    """Train one memory model on one environment, as an agent or as a language model.

    Example: popjax train RepeatPreviousEasy --memory gru --total-steps 1000000

    Example: popjax train HigherLowerEasy --as lm --memory s5

    Example: popjax train CountRecallEasy --memory gru --settings fast --total-steps 1000000

    Example: popjax train RepeatPreviousEasy --settings paper --profile
    """

    env: tyro.conf.Positional[str]
    """Environment, such as RepeatPreviousEasy."""
    memory: str = "gru"
    """Memory model, such as gru."""
    regime: RegimeName = "ppo"
    """Objective: ppo (an agent), lm (a language model), or another one between the two."""
    named: SettingsName = "default"
    """Settings to begin with, which the options below change: default, fast (found by search for
    this environment and memory), paper or popjaxrl (as published)."""
    settings: tyro.conf.OmitArgPrefixes[Settings] = field(default_factory=Settings)
    """How to train."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = "train"
    """Name of the study: a folder in `out`."""
    log: tuple[str, ...] = ()
    """Also log metrics to these: tensorboard, wandb."""
    profile: bool = False
    """Write a trace of one compiled segment, for Perfetto or XProf."""

    def defaults(self) -> Train:
        """What holds where the caller is silent, once environment, memory and name are known."""
        return dataclasses.replace(self, settings=without_overrides(self._named()))

    def _named(self) -> Settings:
        if self.named != "default" and regime_name(self.regime) != "ppo":
            raise UserError(f"the settings called {self.named!r} are those of agents (ppo)")
        return named_settings(self.named, env_name(self.env), memory_name(self.memory))

    def run(self, console: Console) -> None:
        from agents.policy import FILE
        from experiments.results.store import Cell
        from experiments.train.profile import can_trace

        spec, log = self.spec(), self.log
        if note := source_of(self.named, spec.env, spec.memory)[1]:
            console.print(note, highlight=False)
        one = Cell(self.out / self.study, spec)
        if self.profile:
            can_trace(one)
            log = (*log, "profile")
        run_study(self.out, self.study, {"kind": "train"}, [spec], console, log)
        if (one.folder / FILE).exists():
            print(f'the policy: agents.load("{one.folder / FILE}")')

    def spec(self) -> CellSpec:
        """The one cell that is trained."""
        settings = merge_overrides(self.settings, self._named())
        spec = cell(self.env, self.memory, settings, self.regime)
        return dataclasses.replace(spec, source=source_of(self.named, spec.env, spec.memory)[0])


@dataclass(frozen=True)
class Report:
    """Print the tables of a study, and write them with figures to one page, `report.html`.

    Example: popjax report quick

    Example: popjax report quick --format csv > quick.csv
    """

    study: tyro.conf.Positional[str]
    """Name of the study."""
    format: str = "html"
    """What to make: html (tables here, a page and figures in the study), or md, csv, json here."""
    picture: Path | None = None
    """Write a picture of the page's beginning to this PNG file (needs playwright, chromium)."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""

    def run(self, console: Console) -> None:
        from experiments.cli.report import report_study
        from experiments.reports.picture import take_picture

        folder = self.out / self.study
        if self.picture and self.format != "html":
            raise UserError("a picture is one of the page: leave out --format")
        report_study(folder, console, self.format)
        if self.picture:
            take_picture(folder / "report.html", self.picture)


def run_study(out, study, asked, specs, console, log=(), how: Launch | None = None) -> None:
    """Opens a study, runs its cells, prints its table; a UserError if the cells failed, an
    IncompleteError if others are done or if results of earlier cells cannot be read.

    how: where they run, for sweeps, which say beforehand how long they will take.
    """
    from experiments.cli.report import print_study
    from experiments.results.store import Cell, open_study
    from experiments.sweep.run import UNWRITTEN, run_cells
    from experiments.train.loggers import sink_names
    from experiments.train.room import check_cells

    log = sink_names(log)
    check_cells(specs, here=how is None or how.launcher == "inline")
    folder = open_study(out, study, asked)
    outcomes = run_cells(folder, specs, console, log, how)
    faults = []
    if "finished" in outcomes or "skipped" in outcomes:
        faults = print_study(folder, console, write="finished" in outcomes)
    failed = [spec for spec, outcome in zip(specs, outcomes, strict=True) if outcome == "failed"]
    if failed:
        why = Cell(folder, failed[0]).failure() or UNWRITTEN
        kind = UserError if len(failed) == len(specs) else IncompleteError
        raise kind(
            f"{len(failed)} of {len(specs)} cells failed ({failed[0].env} {failed[0].memory}: "
            f"{why}): the same command tries again"
        )
    if faults:
        raise IncompleteError(f"{len(faults)} of the study's results cannot be read: {faults[0]}")
