"""What an agent and a language model have in common: by the rules, and in two trained networks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from agents.ranges import Seed, Within
from experiments.errors import UserError
from experiments.specs import env_name


@dataclass(frozen=True)
class BridgeOverlap:
    """How much of what an agent must remember a language model must remember too, by the rules.

    For every environment whose cards come whatever is done: the nats of both statistics given the
    clock and the card on the table, summed over the steps that are paid, and the share of each that
    the other tells. In closed form, and beside it from decks that the environment deals.

    Example: popjax bridge overlap --envs RepeatFirstEasy CountRecallEasy
    """

    envs: tuple[str, ...] = ()
    """Environments to list; the Easy ones if not given."""
    episodes: Annotated[int, Within(1, 100_000)] = 1000
    """Decks to deal for the second route."""
    seed: Seed = 0
    """Of these decks."""

    def run(self, console: Console) -> None:
        import jax

        from experiments.bridge.overlap import CAUSAL, STATISTICS, exact, sampled
        from popjax import ENVS, make

        names = [env_name(name) for name in self.envs]
        table = Table(
            title="what acting and predicting have in common, by the rules",
            caption="U(RL|LM): share of what acting needs that predicting needs too; U(LM|RL): the "
            "other way.\nsampled: the same from decks dealt by the environment. nats: an episode.",
            caption_justify="left",
        )
        for name in ("id", "acting needs", "predicting needs", "they are"):
            table.add_column(name)
        for name in ("U(RL|LM)", "sampled", "U(LM|RL)", "sampled", "RL, nats", "LM, nats"):
            table.add_column(name, justify="right", no_wrap=True)
        for name in names or [name for name in ENVS if name.endswith("Easy")]:
            env = make(name)
            if env.name in CAUSAL:
                statistic = CAUSAL[env.name]
                table.add_row(name, statistic, statistic, "equal, causal", "1", "", "~1")
                continue
            if env.name not in STATISTICS:
                if names:
                    raise UserError(f"what {name} takes is not known in closed form")
                continue
            found = exact(env)
            drawn = sampled(env, jax.random.key(self.seed), self.episodes)
            table.add_row(
                name,
                *STATISTICS[env.name],
                found.kind,
                f"{found.rl_given_lm:.3f}",
                f"{drawn.rl_given_lm:.3f}",
                f"{found.lm_given_rl:.3f}",
                f"{drawn.lm_given_rl:.3f}",
                f"{found.of_rl.sum():.1f}",
                f"{found.of_lm.sum():.1f}",
            )
        console.print(table)


@dataclass(frozen=True)
class BridgeCompare:
    """Two trained runs of one environment: how alike are the states of their networks?

    Likeness by seven measures with its null and ceiling, what either tells of what is hidden, and
    how much of one state a map makes of the other.

    Example: popjax bridge compare results/demo/CELL_A results/demo/CELL_B
    """

    a: Annotated[Path, tyro.conf.Positional]
    """Folder of a cell, as `popjax train` or `popjax sweep` makes it."""
    b: Annotated[Path, tyro.conf.Positional]
    """Another one."""
    episodes: Annotated[int, Within(64, 2**17)] = 2048
    """Histories that both read."""
    seed: Seed = 0
    """Of these histories."""

    def run(self, console: Console) -> None:
        from experiments.bridge.comparison import Pair
        from experiments.bridge.page import print_grid

        pair = Pair(self.a, self.b, self.episodes, self.seed)
        for name, run in zip("AB", pair.runs, strict=True):
            console.print(f"{name}: {run.name} on {run.spec.env}, {len(run.spec.seeds)} seeds")
        for grid in (pair.likeness(), pair.told(), pair.translated()):
            print_grid(grid, console)
