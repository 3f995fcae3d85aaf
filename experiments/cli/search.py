"""Search of hyper-parameters: the command `popjax search`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from agents.ranges import Seed, Within
from experiments.cli.train import DEFAULT_OUT, SettingsName
from experiments.results.errors import UserError
from experiments.results.seeds import TUNING_SEEDS
from experiments.results.spec import Settings
from experiments.train.build import env_name, memory_name
from experiments.train.cell import cell
from experiments.train.settings.presets import (
    merge_overrides,
    named_settings,
    source_of,
    without_overrides,
)
from experiments.train.settings.tuned import TUNED

if TYPE_CHECKING:
    from experiments.search.run import Group

BATCHES = {"sobol": 1, "optuna": 4}
OWN = ("points", "eta", "rungs", "engine", "batches", "over", "vary", "seed")
SILENT = {"total_steps": 200_000, "seeds": 2, "first_seed": TUNING_SEEDS.start, "num_segments": 1}


@dataclass(frozen=True)
class Search:
    """Search settings of one memory model for one environment, all points in one program.

    The best points take over the lanes of the others, with more seeds; the winner is compared with
    point 0 on seeds that no rung has used. Run it again to resume.

    Example: popjax search RepeatPreviousEasy --memory gru --points 64 --seeds 2 --features 32

    Example: popjax search CountRecallEasy --settings fast --vary features=64,128 --write
    """

    env: tyro.conf.Positional[str]
    """Environment, such as RepeatPreviousEasy."""
    memory: str = "gru"
    """Memory model, such as gru."""
    points: Annotated[int, Within(2, 2**16)] = 64
    """Settings to compare in the first rung; point 0 is the settings given by the other options."""
    eta: Annotated[int, Within(2, 1024)] = 4
    """One point in `eta` reaches the next rung, with `eta` times the steps."""
    rungs: Annotated[int, Within(1, 32)] | None = None
    """Number of rungs; by default as many as leave at least two points in the last."""
    engine: str = "sobol"
    """What proposes the points: sobol, or optuna (an extra)."""
    batches: Annotated[int, Within(1, 2**16)] | None = None
    """Number of batches in which points are proposed; by default 1 for sobol, 4 for optuna."""
    over: tuple[str, ...] = ()
    """Hyper-parameters to search; by default all that have a search range."""
    vary: tuple[str, ...] = ()
    """Static settings to try, one program per combination, such as features=64,128."""
    seed: Seed = 0
    """Seed of the proposed points; the runs themselves use seeds from 1000 on."""
    write: bool = False
    """Write the winner to tuned.json if it beats point 0 on fresh seeds."""
    named: SettingsName = "default"
    """Settings of point 0, to which the options below apply."""
    settings: tyro.conf.OmitArgPrefixes[Settings] = field(
        default_factory=lambda: Settings(**SILENT)
    )
    """How to train."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str | None = None
    """Name of the study, a folder in `out`; by default search-<env>-<memory>."""

    def defaults(self) -> Search:
        """What holds where the caller is silent, once environment, memory and name are known."""
        settings = dataclasses.replace(self._named(), **SILENT)
        return dataclasses.replace(self, settings=without_overrides(settings))

    def _named(self) -> Settings:
        return named_settings(self.named, env_name(self.env), memory_name(self.memory))

    def run(self, console: Console) -> None:
        from experiments.results.errors import Stopped
        from experiments.results.store import open_study
        from experiments.search.report import Progress, print_found, print_plan
        from experiments.search.run import search
        from experiments.search.space import space_of
        from experiments.train.process import interruptible
        from experiments.train.settings.tuned import read_tuned

        if self.settings.first_seed != TUNING_SEEDS.start:
            raise UserError(f"a search trains with seeds from {TUNING_SEEDS.start} on")
        read_tuned()  # a damaged file is found before, not after
        note = source_of(self.named, env_name(self.env), memory_name(self.memory))[1]
        if note:
            console.print(note, highlight=False)
        space = space_of(self.over)
        groups = self._groups()
        folder = self._folder(open_study, groups)
        print_plan(groups, space, self.engine, folder, console)
        with (
            interruptible(lambda text: console.print(text)) as interrupt,
            Progress(groups, console, interrupt) as progress,
        ):
            try:
                found = search(folder, groups, space, self.engine, self.seed, progress.tell)
            except KeyboardInterrupt:
                console.print(
                    f"stopped; finished work is kept in {folder}, and the same command resumes "
                    "after the last segment"
                )
                raise Stopped from None
        print_found(found, space, folder, console)
        if self.write:
            self._write(found, console)

    def _groups(self) -> list[Group]:
        from experiments.search.engines import engine_of
        from experiments.search.halving import make_plan
        from experiments.search.run import Group
        from experiments.search.space import groups_of
        from experiments.train.room import check_cells

        engine_of(self.engine, 1, 0)
        batches = BATCHES[self.engine] if self.batches is None else self.batches
        base = merge_overrides(self.settings, self._named())
        groups = []
        for label, settings in groups_of(base, self.vary).items():
            spec = cell(self.env, self.memory, settings)
            plan = make_plan(
                self.points,
                settings.seeds,
                settings.total_steps,
                spec.steps_per_update,
                self.eta,
                batches,
                settings.num_segments,
                self.rungs,
            )
            check_cells([spec], lanes=plan.lanes)
            groups.append(Group(label, spec, plan, self.out / self._name() / label))
        return groups

    def _name(self) -> str:
        return self.study or f"search-{env_name(self.env)}-{memory_name(self.memory)}"

    def _folder(self, open_study, groups: list[Group]) -> Path:
        spec = groups[0].spec
        asked = {"kind": "search"} | {name: getattr(self, name) for name in OWN}
        asked |= {"over": list(self.over), "vary": list(self.vary)}
        asked |= {k: v for k, v in spec.resolved().items() if k != "settings"}
        for name, value in spec.resolved()["settings"].items():
            asked |= value if isinstance(value, dict) else {name: value}
        return open_study(self.out, self._name(), asked)

    def _write(self, found, console: Console) -> None:
        from experiments.results.spec import DEFAULT_HYPERPARAMS
        from experiments.search.report import better, source_of
        from experiments.train.settings.tuned import write_tuned

        if not better(found):
            console.print(f"{TUNED} stays as it is: point 0 was not beaten")
            return
        spec, point = found.winner.group.spec, found.winner.point
        changed = {k: v for k, v in point.items() if v != DEFAULT_HYPERPARAMS[k]}
        settings = dataclasses.replace(
            self._named(),
            network=spec.settings.network,
            ppo=spec.settings.ppo,
            hyperparams=changed,
        )
        write_tuned(spec.env, spec.memory, settings, source_of(found, self._words()))
        use = f"popjax train {spec.env} --memory {spec.memory} --settings fast"
        console.print(f"written to {TUNED}: {use}")

    def _words(self) -> str:
        """The command as a person writes it, without what `tuned.json` has in the settings."""
        words = [f"popjax search {env_name(self.env)} --memory {memory_name(self.memory)}"]
        if self.named != "default":
            words += ["--settings", self.named]
        for name in OWN:
            value = getattr(self, name)
            if value not in (None, ()):
                words += [f"--{name}", *(value if isinstance(value, tuple) else (str(value),))]
        words += [f"--seeds {self.settings.seeds} --total-steps {self.settings.total_steps}"]
        return " ".join(words)
