"""How fast it is: the commands `popjax bench envs`, `memories`, `ppo` and `lm`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from agents.memory import MEMORIES
from agents.ppo import PPOConfig
from agents.ranges import Count, Within
from experiments.results.spec import Seeds, Width
from experiments.train.build import env_name, memory_name

Repeats = Annotated[int, Within(1, 10_000)]
Lanes = Annotated[int, Within(1, 2**24)]


@dataclass(frozen=True)
class BenchEnvs:
    """Environment steps per second, compared with the reference package.

    Example: popjax bench envs --envs RepeatPreviousEasy --num-envs 1 64 8192
    """

    envs: tuple[str, ...] = ()
    """Environments to measure; by default all."""
    num_envs: tuple[Lanes, ...] = (8192,)
    """Batch widths."""
    repeats: Repeats = 5
    """Timed calls; the median is printed."""
    out: Path | None = None
    """Also write the numbers to this JSON file."""

    def run(self, console: Console) -> None:
        from experiments.bench.envs import bench_envs

        names = [env_name(name) for name in self.envs]
        bench_envs(names, self.num_envs, self.repeats, console, self.out)


@dataclass(frozen=True)
class BenchPPO:
    """Training steps per second of PPO: 64 environments x 128 steps x 4 epochs x 8 minibatches.

    Timed alternately with its gradient steps alone, the machine's matrix product, many lanes in one
    program, and a plain recurrent PPO. Then the start-up time of new processes.

    Example: popjax bench ppo --memories gru mlp --lanes 16
    """

    envs: tuple[str, ...] = ("RepeatPreviousEasy",)
    """Environments to train on."""
    memories: tuple[str, ...] = ()
    """Memory models; by default gru and mlp, or all if only compiling."""
    features: Width = 256
    """Width of the networks."""
    lanes: Seeds = 16
    """Seeds in parallel in the program with many lanes."""
    repeats: Repeats = 5
    """Timed rounds; medians are printed, with quartiles."""
    compile_only: bool = False
    """Measure only the seconds until training can start."""
    out: Path | None = None
    """Also write the numbers to this JSON file."""
    ppo: tyro.conf.OmitArgPrefixes[PPOConfig] = field(default_factory=PPOConfig)
    """The training that is measured."""

    def run(self, console: Console) -> None:
        from experiments.bench.ppo import bench_ppo
        from experiments.bench.startup import bench_compile

        envs = [env_name(name) for name in self.envs]
        default = MEMORIES if self.compile_only else ("gru", "mlp")
        memories = [memory_name(name) for name in self.memories or default]
        if self.compile_only:
            bench_compile(envs, memories, self.features, console, self.out, self.ppo)
        else:
            sizes = self.features, self.lanes, self.repeats
            bench_ppo(envs, memories, *sizes, console, self.out, self.ppo)


@dataclass(frozen=True)
class BenchMemories:
    """Speed of the memory models and of Flax's own cells; or with --learn, what they can learn.

    Example: popjax bench memories --memories gru lstm
    """

    memories: tuple[str, ...] = ()
    """Memory models; all if not given."""
    learn: bool = False
    """Instead train each on copying, recall, counting and parity, at equal parameters."""
    growth: bool = False
    """Also measure memory use at 2,048 and 8,192 steps."""
    features: Width = 256
    """Width of the models (speed)."""
    parameters: Annotated[int, Within(1, 10**10)] = 40_000
    """Parameters of each network (learn)."""
    steps: Count = 600
    """Training batches of each task (learn)."""
    seeds: Seeds = 1
    """Seeds of each task (learn)."""
    repeats: Repeats = 5
    """Timed calls; the median is printed (speed)."""
    out: Path | None = None
    """Also write the numbers to this JSON file."""

    def run(self, console: Console) -> None:
        from experiments.bench.capability import learn_memories
        from experiments.bench.memories import bench_memories

        names = [memory_name(name) for name in self.memories]
        if self.learn:
            learn_memories(
                names, self.out, self.parameters, self.steps, seeds=self.seeds, console=console
            )
        else:
            bench_memories(
                names,
                self.out,
                self.features,
                repeats=self.repeats,
                growth=self.growth,
                console=console,
            )


@dataclass(frozen=True)
class BenchLM:
    """Tokens per second of training a language model, beside PPO's update on as many tokens.

    Example: popjax bench lm --memory s5
    """

    env: str = "RepeatPreviousEasy"
    """Environment to train on."""
    memory: str = "gru"
    """Memory model."""
    features: Width = 256
    """Width of the networks."""
    repeats: Repeats = 9
    """Timed calls of each, alternating; medians are printed."""

    def run(self, console: Console) -> None:
        from experiments.bench.lm import bench_lm

        env, memory = env_name(self.env), memory_name(self.memory)
        bench_lm(env, memory, self.features, self.repeats, console)


BENCHES = {"envs": BenchEnvs, "memories": BenchMemories, "ppo": BenchPPO, "lm": BenchLM}


@dataclass(frozen=True)
class Bench:
    """Measure speed on this machine: popjax bench envs, memories, ppo or lm.

    Example: popjax bench envs --envs RepeatPreviousEasy
    """

    what: (
        Annotated[BenchEnvs, tyro.conf.subcommand("envs")]
        | Annotated[BenchMemories, tyro.conf.subcommand("memories")]
        | Annotated[BenchPPO, tyro.conf.subcommand("ppo")]
        | Annotated[BenchLM, tyro.conf.subcommand("lm")]
    )
    """What to measure."""

    def run(self, console: Console) -> None:
        self.what.run(console)
