"""The `popjax` command."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import sys
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Union

import jax
import tyro
from rich.console import Console
from rich.table import Table

from experiments.errors import UserError, positive
from experiments.presets import preset
from experiments.specs import Settings, cell, env_name, memory_name
from popjax.words import nearest

DEFAULT_OUT = Path("results")


@dataclass(frozen=True)
class Envs:
    """List the environments: spaces, longest episode, reference returns.

    Example: popjax envs
    """

    def run(self, console: Console) -> None:
        from popjax import ENVS, scores

        table = Table(title=f"{len(ENVS)} environments")
        for name in ("id", "observation", "action"):
            table.add_column(name, no_wrap=True)
        for name in ("steps", "previous action", "random", "memoryless", "reference"):
            table.add_column(name, justify="right")
        for name, env in ENVS.items():
            known = scores.scores(name)
            means = [
                f"{known[kind]['mean']:.3f}" if known.get(kind) else ""
                for kind in ("random", "memoryless", "reference")
            ]
            table.add_row(
                name,
                space_words(env.observation_space),
                space_words(env.action_space),
                str(env.max_steps),
                "needed" if env.needs_previous_action else "",
                *means,
            )
        console.print(table)


@dataclass(frozen=True)
class Memories:
    """List the memory models: parameters and state at a width.

    Example: popjax memories --features 128
    """

    features: int = 128
    """Width of the models."""

    def run(self, console: Console) -> None:
        import jax.numpy as jnp

        from agents.memory import MEMORIES

        positive("features", self.features)
        table = Table(title=f"{len(MEMORIES)} memory models at width {self.features}")
        for name in ("name", "what it is"):
            table.add_column(name)
        for name in ("parameters", "state (numbers a sequence)"):
            table.add_column(name, justify="right")
        for name, kind in MEMORIES.items():
            memory = kind(features=self.features)
            shapes = jax.eval_shape(
                memory.init,
                jax.random.key(0),
                memory.initial_carry(1),
                jnp.zeros((1, 1, self.features)),
                jnp.zeros((1, 1), bool),
            )
            parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes.get("params", {})))
            about = (kind.__doc__ or "").strip().splitlines()[0]
            table.add_row(name, about, f"{parameters:,}", f"{memory.state_size():,}")
        console.print(table)


@dataclass(frozen=True)
class Play:
    """Play an environment yourself, in the terminal.

    Example: popjax play CountRecallEasy
    """

    env: tyro.conf.Positional[str]
    """Environment, such as CountRecallEasy."""
    seed: int | None = None
    """Which episode; a new one every time if not given."""
    reveal: bool = False
    """Show what is hidden."""

    def run(self, console: Console) -> None:
        import secrets

        from popjax import ENVS
        from popjax.play import play

        name = env_name(self.env)
        seed = secrets.randbelow(2**32) if self.seed is None else self.seed
        if not 0 <= seed < 2**32:
            raise UserError(f"seed must be from 0 to {2**32 - 1}, not {seed}")
        play(ENVS[name], name, sys.stdin, sys.stdout, seed, reveal=self.reveal)
        again = f"popjax play {name} --seed {seed} plays the same episode again"
        console.print(again, highlight=False)


@dataclass(frozen=True)
class Train:
    """Train one memory model on one environment.

    Example: popjax train RepeatPreviousEasy --memory gru --total-steps 1000000
    """

    env: tyro.conf.Positional[str]
    """Environment, such as RepeatPreviousEasy."""
    memory: str = "gru"
    """Memory model, such as gru."""
    settings: tyro.conf.OmitArgPrefixes[Settings] = field(default_factory=Settings)
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = "train"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        spec = cell(self.env, self.memory, self.settings)
        run_study(self.out, self.study, {"kind": "train"}, [spec], console)


@dataclass(frozen=True)
class Sweep:
    """Train many memory models on many environments; run it again to go on.

    Example: popjax sweep --preset quick --memories gru mlp
    """

    preset: str = "quick"
    """Which sweep: quick or easy."""
    envs: tuple[str, ...] = ()
    """Environments instead of the preset's; `all` for every one."""
    memories: tuple[str, ...] = ()
    """Memory models instead of the preset's; `all` for every one."""
    seeds: int | None = None
    """Seeds of each cell instead of the preset's."""
    total_steps: int | None = None
    """Environment steps of each seed instead of the preset's."""
    features: int | None = None
    """Width of the networks instead of the preset's."""
    inputs: str | None = None
    """What agents read: obs+action or obs."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str | None = None
    """Name of the study, a folder in `out`; the preset's name if not given."""

    def run(self, console: Console) -> None:
        from agents.memory import MEMORIES
        from popjax import ENVS

        chosen = preset(self.preset)
        settings = self._settings(chosen.settings)
        envs = ENVS if self.envs == ("all",) else self.envs or chosen.envs
        memories = MEMORIES if self.memories == ("all",) else self.memories or chosen.memories
        envs = [env_name(name) for name in envs]
        memories = [memory_name(name) for name in memories]
        specs = [cell(env, memory, settings) for env in envs for memory in memories]
        asked = {"kind": "sweep", "preset": self.preset, **_flat(settings)}
        run_study(self.out, self.study or self.preset, asked, specs, console)

    def _settings(self, settings: Settings) -> Settings:
        for name in ("seeds", "total_steps"):
            if getattr(self, name) is not None:
                settings = dataclasses.replace(settings, **{name: getattr(self, name)})
        if self.features is not None:
            network = dataclasses.replace(settings.network, features=self.features)
            settings = dataclasses.replace(settings, network=network)
        if self.inputs is not None:
            if self.inputs not in ("obs+action", "obs"):
                raise UserError(nearest(self.inputs, ("obs+action", "obs"), "kind of input"))
            ppo = dataclasses.replace(settings.ppo, inputs=self.inputs)
            settings = dataclasses.replace(settings, ppo=ppo)
        return settings


@dataclass(frozen=True)
class Report:
    """Print the table of a study.

    Example: popjax report quick
    """

    study: tyro.conf.Positional[str]
    """Name of the study."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""

    def run(self, console: Console) -> None:
        from experiments.report import print_study

        print_study(self.out / self.study, console)


@dataclass(frozen=True)
class Bench:
    """Measure speed on this machine.

    Examples: popjax bench envs --envs RepeatPreviousEasy; popjax bench ppo
    """

    what: tyro.conf.Positional[str]
    """envs or ppo."""
    envs: tuple[str, ...] = ()
    """Environments to measure; all if not given (for ppo: RepeatPreviousEasy)."""
    num_envs: tuple[int, ...] = (8192,)
    """Batch widths (envs)."""
    repeats: int = 5
    """Timed calls; the median is printed."""
    memories: tuple[str, ...] = ("gru", "mlp")
    """Memory models (ppo)."""
    features: int = 256
    """Width of the networks (ppo)."""
    lanes: int = 1
    """Seeds side by side in one program (ppo)."""

    def run(self, console: Console) -> None:
        from experiments import bench

        for value in (*self.num_envs, self.repeats, self.features, self.lanes):
            positive("every number", value)
        envs = tuple(env_name(name) for name in self.envs)
        memories = tuple(memory_name(name) for name in self.memories)
        if self.what == "envs":
            bench.bench_envs(envs, self.num_envs, self.repeats, console)
        elif self.what == "ppo":
            bench.bench_ppo(envs, memories, self.features, self.lanes, self.repeats, console)
        else:
            raise UserError(nearest(self.what, ("envs", "ppo"), "bench"))


COMMANDS = {
    "envs": Envs,
    "memories": Memories,
    "play": Play,
    "train": Train,
    "sweep": Sweep,
    "report": Report,
    "bench": Bench,
}


def run_study(out, study, asked, specs, console) -> None:
    """Opens a study, runs its cells, prints its table; a UserError if any cell failed."""
    from experiments.report import print_study
    from experiments.results import open_study
    from experiments.suite import run_cells

    folder = open_study(out, study, asked)
    outcomes = run_cells(folder, specs, console)
    if "finished" in outcomes or "skipped" in outcomes:
        print_study(folder, console)
    if "failed" in outcomes:
        raise UserError(f"{outcomes.count('failed')} cells failed: the same command tries again")


def space_words(space) -> str:
    """A space in a few words.

    >>> from popjax import Discrete
    >>> space_words(Discrete((3, 3, 3)))
    '3 x {0..2}'
    """
    from popjax import Box

    if isinstance(space, Box):
        return f"{len(space.low)} reals"
    if not space.shape:
        return f"{{0..{space.sizes - 1}}}"
    if len(set(space.sizes)) == 1:
        return f"{len(space.sizes)} x {{0..{space.sizes[0] - 1}}}"
    return " x ".join(f"{{0..{n - 1}}}" for n in space.sizes)


def _flat(settings: Settings) -> dict[str, object]:
    flat = {}
    for name, value in dataclasses.asdict(settings).items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def keep_compiled_programs() -> None:
    """Turns on the persistent compilation cache, unless the user has chosen a place for it."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        jax.config.update("jax_compilation_cache_dir", str(cache / "popjax" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def parse(argv: list[str]):
    """The command that the words stand for; a UserError where they stand for none."""
    kinds = tuple(Annotated[kind, tyro.conf.subcommand(name)] for name, kind in COMMANDS.items())
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            return tyro.cli(
                tyro.conf.OmitSubcommandPrefixes[Union[kinds]],  # noqa: UP007
                prog="popjax",
                description="POPGym in pure JAX, and the memory models that play it.",
                args=argv,
            )
    except SystemExit as leave:
        if leave.code in (0, None):
            raise
        raise UserError(_one_line(complaint.getvalue())) from None


def _one_line(box: str) -> str:
    """The first paragraph of tyro's framed complaint, without the frame."""
    lines = []
    for line in box.splitlines()[1:]:
        line = line.strip("│╭╰╯╮ ").strip()
        if not line or set(line) <= {"─"}:
            break
        lines.append(line)
    return re.sub(r"^Error parsing __tyro-dummy-inner__\S*: ", "", " ".join(lines))


def main(argv: list[str] | None = None) -> int:
    """Runs one command; 0 if all went well, 2 for a mistake of the caller's, 130 for Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    console = Console(width=None if sys.stdout.isatty() else 170)
    try:
        if argv and not argv[0].startswith("-") and argv[0] not in COMMANDS:
            raise UserError(nearest(argv[0], COMMANDS, "command"))
        command = parse(argv or ["--help"])
        if not isinstance(command, Bench):  # which times compilation
            keep_compiled_programs()
        command.run(console)
    except UserError as error:
        print(f"popjax: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
