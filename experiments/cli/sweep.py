"""Many cells at once: the command `popjax sweep`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from agents.ranges import Within
from experiments.cli import train
from experiments.cli.train import DEFAULT_OUT, RegimeName
from experiments.results.errors import UserError
from experiments.results.spec import CellSpec, Seeds, Settings, Steps, Width
from experiments.results.study import flat
from experiments.sweep.launch.resources import Launch
from experiments.train.build import env_name, memory_name
from experiments.train.cell import cell
from experiments.train.objectives import regime_name, with_objective_defaults
from experiments.train.settings.presets import preset
from popjax.words import nearest


@dataclass(frozen=True)
class Sweep:
    """Train many memory models on many environments; run it again to go on.

    Example: popjax sweep --preset quick --memories gru mlp

    Example: popjax sweep --preset paper --plan --devices 8xH100

    Example: popjax sweep --preset paper --launcher slurm --gpus 1 --partition gpu
    """

    preset: str = "quick"
    """Which sweep: quick, easy, fast, paper or popjaxrl."""
    envs: tuple[str, ...] = ()
    """Environments instead of the preset's; `all` for every one."""
    memories: tuple[str, ...] = ()
    """Memory models instead of the preset's; `all` for every one."""
    regime: RegimeName = "ppo"
    """Objective: ppo (agents), lm (language models), or another one between the two."""
    seeds: Seeds | None = None
    """Seeds of each cell instead of the preset's."""
    total_steps: Annotated[Steps | None, tyro.conf.arg(aliases=["--steps"])] = None
    """Environment steps of each seed instead of the preset's; ten times those in other
    regimes than ppo, whose steps are cheaper."""
    features: Width | None = None
    """Width of the networks instead of the preset's."""
    inputs: str | None = None
    """What is read: obs+action or obs."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str | None = None
    """Name of the study, a folder in `out`; the preset's name if not given, and the regime's."""
    log: tuple[str, ...] = ()
    """Also log metrics to these: tensorboard, wandb."""
    launch: tyro.conf.OmitArgPrefixes[Launch] = field(default_factory=Launch)
    dry_run: bool = False
    """Only say what would be done, and about how long it would take."""
    plan: bool = False
    """Only say how long it would take on `--devices`, and where the time would go."""
    devices: str = ""
    """For `--plan`: such as 8xH100; those of this machine if not given."""
    speed: Annotated[float, Within(0, 1e6, above=True)] | None = None
    """For `--plan`: how many times as fast a device is as this machine, if it was measured."""

    def run(self, console: Console) -> None:
        from agents.memory import MEMORIES
        from experiments.results.store import check_study
        from popjax import ENVS

        chosen = preset(self.preset)
        regime = regime_name(self.regime)
        if isinstance(chosen.settings, str) and regime != "ppo":
            raise UserError(f"the preset {self.preset!r} is one of agents (ppo)")
        envs = ENVS if self.envs == ("all",) else self.envs or chosen.envs
        envs = [env_name(name) for name in envs]
        memories = tuple(MEMORIES) if self.memories == ("all",) else self.memories
        memories = [memory_name(name) for name in memories]

        specs = []
        for env in envs:
            for memory in memories or chosen.memories_of(env):
                settings = with_objective_defaults(
                    self._settings(chosen.settings_of(env, memory)), regime
                )
                spec = cell(env, memory, settings, regime)
                source, note = chosen.source_of(env, memory)
                specs.append(dataclasses.replace(spec, source=source))
                if note:
                    console.print(note, highlight=False)
        asked = {"kind": "sweep", "preset": self.preset}
        if isinstance(chosen.settings, Settings):  # then all cells have the same
            asked |= flat(
                with_objective_defaults(self._settings(chosen.settings), regime).plain(regime)
            )
        study = self.preset
        if regime != "ppo":
            asked["regime"], study = regime, f"{study}-{regime}"
        study = self.study or study
        if self.dry_run or self.plan or self.devices:
            self._look_ahead(check_study(self.out, study, asked), specs, console)
        else:
            train.run_study(self.out, study, asked, specs, console, self.log, self.launch)

    def _look_ahead(self, folder: Path, specs: list[CellSpec], console: Console) -> None:
        """Prints what would be done; nothing is trained."""
        from experiments.sweep.estimate import make_plan, print_plan
        from experiments.sweep.forecast import devices_of, print_outlook
        from experiments.train.room import check_cells

        check_cells(specs, here=not self.devices and self.launch.launcher == "inline")
        devices = devices_of(self.devices, self.speed) if self.plan or self.devices else None
        plan = make_plan(folder, specs)
        print_plan(plan, console)
        if devices:
            print_outlook(plan, devices, console)

    def _settings(self, settings: Settings) -> Settings:
        for name in ("seeds", "total_steps"):
            if getattr(self, name) is not None:
                settings = dataclasses.replace(settings, **{name: getattr(self, name)})
        if self.total_steps is None and settings.total_steps and self.regime != "ppo":
            settings = dataclasses.replace(settings, total_steps=10 * settings.total_steps)
        if self.features is not None:
            network = dataclasses.replace(settings.network, features=self.features)
            settings = dataclasses.replace(settings, network=network)
        if self.inputs is not None:
            if self.inputs not in ("obs+action", "obs"):
                raise UserError(nearest(self.inputs, ("obs+action", "obs"), "kind of input"))
            ppo = dataclasses.replace(settings.ppo, inputs=self.inputs)
            previous = "on" if self.inputs == "obs+action" else "off"
            lm = dataclasses.replace(settings.lm, previous_action=previous)
            settings = dataclasses.replace(settings, ppo=ppo, lm=lm)
        return settings
