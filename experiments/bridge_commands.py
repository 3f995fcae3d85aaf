"""Reinforcement learning beside language modelling: the commands `popjax bridge ...`."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console
from rich.table import Table

from experiments.commands import DEFAULT_OUT
from experiments.comparison_commands import BridgeCompare, BridgeOverlap
from experiments.errors import UserError
from experiments.explore_commands import BridgeGears
from experiments.flagship_commands import (
    BridgeForgetting,
    BridgeLoop,
    BridgeSameDeck,
    BridgeVerdict,
)
from experiments.specs import Seeds, env_name


@dataclass(frozen=True)
class BridgeFloors:
    """The least loss that any predictor of the next token can have, in nats, for all environments.

    Where the policy matters, a floor belongs to the player that makes the histories. "exact" is the
    floor itself; "at most" is an upper bound: the floor lies between 0 and the number, and a model
    can go below it.

    Example: popjax bridge floors --envs HigherLowerEasy MineSweeperHard
    """

    envs: tuple[str, ...] = ()
    """Environments to list; all if not given."""
    out: Path | None = None
    """Write the table to this file as well, JSON or CSV by its ending."""

    def run(self, console: Console) -> None:
        from popjax.floors import floor_table

        if self.out and self.out.suffix not in (".json", ".csv"):
            raise UserError(f"--out takes a .json or a .csv file, not {self.out}")
        names = {env_name(name) for name in self.envs}
        floors = [floor for floor in floor_table() if not names or floor.env_id in names]
        table = Table(title="entropy floors, in nats")
        for name in ("id", "player"):
            table.add_column(name, no_wrap=True)
        for name in ("a token", "s.e.", "an episode", "s.e. ", "tokens", "memory is worth"):
            table.add_column(name, justify="right")
        for name in ("kind", "how"):
            table.add_column(name)
        rows = [asdict(floor) | {"memory_is_worth": memory_is_worth(floor)} for floor in floors]
        for row in rows:
            worth, most = row["memory_is_worth"], "≤ " if row["kind"] == "at most" else ""
            table.add_row(
                row["env_id"],
                row["player"],
                f"{most}{row['nats_per_token']:.4f}",
                f"{row['standard_error']:.4f}" if row["standard_error"] else "",
                f"{most}{row['nats_per_episode']:.3f}",
                f"{row['episode_error']:.4f}" if row["episode_error"] else "",
                f"{row['tokens_per_episode']:.1f}",
                "" if worth is None else f"{worth:.4f}",
                row["kind"],
                row["how"],
            )
        console.print(table)
        if self.out:
            write_rows(self.out, rows)
            console.print(f"written to {self.out}")


def memory_is_worth(floor) -> float | None:
    """Nats a token between the best predictor without memory and the best of all, where known."""
    if floor.without_memory is None:
        return None
    return floor.without_memory - floor.nats_per_token


def write_rows(path: Path, rows: list[dict]) -> None:
    """Rows with the same names, as a JSON list or as CSV."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            if path.suffix == ".json":
                json.dump(rows, file, indent=1)
                return
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise UserError(f"cannot write to {path}: {error.strerror}") from None


@dataclass(frozen=True)
class BridgeTokens:
    """What a language model predicts at each step of each environment.

    Example: popjax bridge tokens --envs CountRecallHard
    """

    envs: tuple[str, ...] = ()
    """Environments to list; all if not given."""

    def run(self, console: Console) -> None:
        from popjax import ENVS
        from popjax.tokens import Vocabulary, target_of

        table = Table(title="tokens to predict")
        table.add_column("id", no_wrap=True)
        for name in ("components", "values of each", "flat vocabulary"):
            table.add_column(name, justify="right")
        for name in ("depends on actions", "what it is"):
            table.add_column(name)
        for name in [env_name(name) for name in self.envs] or ENVS:
            target = target_of(ENVS[name])
            about = " ".join((type(target).__doc__ or "").split())
            table.add_row(
                name,
                str(len(target.sizes)),
                str(target.sizes[0]),
                str(Vocabulary(ENVS[name]).size),
                "yes" if target.needs_action else "no",
                about.split(". ")[0].rstrip("."),
            )
        console.print(table)


@dataclass(frozen=True)
class Experiment:
    """What every experiment is asked."""

    preset: str = "mini"
    """How long: mini (minutes), or smoke, which only shows that all of it works."""
    memory: str = "gru"
    """Memory model, such as gru."""
    seeds: Seeds = 5
    """How many seeds."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = ""
    """Name of the study: a folder in `out`."""


@dataclass(frozen=True)
class BridgeCopycat(Experiment):
    """A model that foretells 99 % of an expert's actions by copying, and what it earns by itself.

    Beside it the copier's closed form, a clone that cannot but copy, DAgger, and a clone that does
    not see its own actions. Run it again to go on.

    Example: popjax bridge copycat --memory gru
    """

    study: str = "copycat"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.copycat import copycat
        from experiments.bridge.copycat_figure import write_figure
        from experiments.bridge.copycat_report import outcomes_of, print_outcomes

        folder, tables = copycat(
            self.out, self.study, self.preset, self.memory, self.seeds, console
        )
        outcomes = outcomes_of(tables)
        print_outcomes(outcomes, console)
        for path in write_figure(outcomes, folder):
            console.print(f"written to {path}")


@dataclass(frozen=True)
class BridgeFactorial(Experiment):
    """Six ways from a language model to an agent on a tiny deck: two targets, three feedbacks.

    The next observation or the oracle's action; told as labels, as a verdict a step, or as one sum
    an episode. Run it again to go on.

    Example: popjax bridge factorial --memory gru
    """

    study: str = "factorial"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.factorial import factorial
        from experiments.bridge.factorial_figure import write_figure
        from experiments.bridge.factorial_tables import print_factorial

        folder, setup, curves = factorial(
            self.out, self.study, self.preset, self.memory, self.seeds, console
        )
        print_factorial(curves, setup, console)
        for path in write_figure(curves, folder):
            console.print(f"written to {path}")


BRIDGES = {
    "gears": BridgeGears,
    "floors": BridgeFloors,
    "tokens": BridgeTokens,
    "overlap": BridgeOverlap,
    "compare": BridgeCompare,
    "copycat": BridgeCopycat,
    "factorial": BridgeFactorial,
    "same-deck": BridgeSameDeck,
    "verdict": BridgeVerdict,
    "loop": BridgeLoop,
    "forgetting": BridgeForgetting,
}


@dataclass(frozen=True)
class Bridge:
    """Reinforcement learning beside language modelling: gears, floors, tokens and experiments.

    Example: popjax bridge floors --envs HigherLowerEasy
    """

    what: (
        Annotated[BridgeGears, tyro.conf.subcommand("gears")]
        | Annotated[BridgeFloors, tyro.conf.subcommand("floors")]
        | Annotated[BridgeTokens, tyro.conf.subcommand("tokens")]
        | Annotated[BridgeOverlap, tyro.conf.subcommand("overlap")]
        | Annotated[BridgeCompare, tyro.conf.subcommand("compare")]
        | Annotated[BridgeCopycat, tyro.conf.subcommand("copycat")]
        | Annotated[BridgeFactorial, tyro.conf.subcommand("factorial")]
        | Annotated[BridgeSameDeck, tyro.conf.subcommand("same-deck")]
        | Annotated[BridgeVerdict, tyro.conf.subcommand("verdict")]
        | Annotated[BridgeLoop, tyro.conf.subcommand("loop")]
        | Annotated[BridgeForgetting, tyro.conf.subcommand("forgetting")]
    )
    """What to look at."""

    def run(self, console: Console) -> None:
        self.what.run(console)
