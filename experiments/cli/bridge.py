"""Agents compared with language models: the commands `popjax bridge ...`."""

from __future__ import annotations

import ast
import csv
import json
import pkgutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Union

import tyro
from rich.console import Console
from rich.table import Table

from agents.ranges import Seed, Within
from experiments.cli.explore import BridgeGears
from experiments.cli.train import DEFAULT_OUT
from experiments.results.errors import UserError
from experiments.results.spec import Seeds
from experiments.results.tables import counted
from experiments.train.build import env_name, memory_name

if TYPE_CHECKING:
    from experiments.bridge.study import Context, Study


@dataclass(frozen=True)
class BridgeOverlap:
    """How much of what an agent must remember must a language model remember too, by the rules?

    For every environment whose cards do not depend on actions: the nats of both statistics given
    the time step and the current card, summed over the rewarded steps, and the share of each that
    the other determines. In closed form, and estimated from decks that the environment deals.

    Example: popjax bridge overlap --envs RepeatFirstEasy CountRecallEasy
    """

    envs: tuple[str, ...] = ()
    """Environments to list; the Easy ones if not given."""
    episodes: Annotated[int, Within(1, 100_000)] = 1000
    """Decks to deal for the estimate."""
    seed: Seed = 0
    """Seed of these decks."""

    def run(self, console: Console) -> None:
        import jax

        from experiments.bridge.measures.overlap import CAUSAL, STATISTICS, exact, sampled
        from popjax import ENVS, make

        names = [env_name(name) for name in self.envs]
        table = Table(
            title="what acting and predicting have in common, by the rules",
            caption="U(RL|LM): share of what acting needs that predicting needs too; U(LM|RL): the "
            "reverse.\nsampled: estimated from decks that the environment deals. nats: an episode.",
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
                    raise UserError(f"what {name} requires is not known in closed form")
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
    """Compare two trained runs of one environment: how similar are the states of their networks?

    Whether both are good enough to be compared, similarity by seven measures with null and ceiling,
    what can be decoded from either, and how well the states of one can be mapped to those of the
    other. With --cell, an agent and a language model of one backbone make a cell of the kinship
    table, printed as JSON.

    Example: popjax bridge compare results/demo/CELL_A results/demo/CELL_B
    """

    a: Annotated[Path, tyro.conf.Positional]
    """Folder of a cell that `popjax train` or `popjax sweep` wrote."""
    b: Annotated[Path, tyro.conf.Positional]
    """Another one."""
    episodes: Annotated[int, Within(64, 2**17)] = 2048
    """Number of histories that both read."""
    seed: Seed = 0
    """Seed of these histories."""
    cell: bool = False
    """Measure the two runs as a cell of `popjax bridge kinship`, and print its record."""

    def run(self, console: Console) -> None:
        from experiments.bridge.compare import Pair
        from experiments.bridge.page import print_grid

        pair = Pair(self.a, self.b, self.episodes, self.seed)
        if self.cell:
            from experiments.bridge.kinship.pair import cell_of_pair
            from experiments.results.store import Cell

            cells = [Cell(run.folder.parent, run.spec) for run in pair.runs]
            cells.sort(key=lambda cell: cell.spec.regime == "lm")
            print(json.dumps(cell_of_pair(*cells, histories=self.episodes), indent=1))
            return
        for name, run in zip("AB", pair.runs, strict=True):
            seeds = counted(len(run.spec.seeds), "seed")
            console.print(f"{name}: {run.name} on {run.spec.env}, {seeds}")
        for grid in (pair.competence(), pair.likeness(), pair.held(), pair.translated()):
            print_grid(grid, console)


@dataclass(frozen=True)
class StudyCommand:
    """Options of every study."""

    preset: str = "mini"
    """Size: mini (minutes on two cores), gpu (hours on one GPU), or smoke, which only checks that
    everything runs."""
    memory: str = ""
    """Memory model, such as s5, or several separated by commas, each a study of its own; gru by
    default, and in the preset gpu all that the experiment was planned with."""
    seeds: Seeds | None = None
    """How many seeds instead of the preset's."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = ""
    """Name of the study: a folder in `out`."""

    def run_study(self, study: Study, console: Console) -> Iterator[Context]:
        """Runs the study with each of the memories, each in its own folder if there are several."""
        from experiments.bridge.study import config_of, run

        names = self.memory.split(",") if self.memory else study.memories.get(self.preset, ("gru",))
        names = [name.strip() for name in names]
        if not all(names):
            raise UserError(f"a memory is missing between the commas of {self.memory!r}")
        names = list(dict.fromkeys(map(memory_name, names)))
        for name in names:
            config = config_of(study, self.preset, name, self.seeds)
            folder = self.study if len(names) == 1 else f"{self.study}-{name}"
            yield run(study, config, self.out, folder, console)

    def run_and_show(self, study: Study, console: Console) -> None:
        from experiments.bridge.page import show

        for context in self.run_study(study, console):
            show(study.shown(context, self.preset), context.folder, console)


def study_command(name: str, place: str) -> type[StudyCommand]:
    """The command of an experiment whose module holds its `STUDY`; help is that module's own text,
    which is read without importing it.

    >>> study_command("loop", "experiments.bridge.loop.study").__doc__.splitlines()[0]
    '`popjax bridge loop`: its parts, findings, figures and tables.'
    """
    file = Path(__file__).parents[2].joinpath(*place.split(".")).with_suffix(".py")

    def run(self: StudyCommand, console: Console) -> None:
        self.run_and_show(pkgutil.resolve_name(f"{place}:STUDY"), console)

    about = ast.get_docstring(ast.parse(file.read_text("utf-8")))
    own = {"__doc__": about, "__annotations__": {"study": str}, "study": name, "run": run}
    return dataclass(frozen=True)(type(f"Bridge{name.title()}", (StudyCommand,), own))


@dataclass(frozen=True)
class BridgeSameDeck(StudyCommand):
    """Same deck, different memory: do an agent and a language model remember the same?

    One architecture and the same cards, trained on the next card, the right answer, or right and
    wrong. Reports what each network holds beside what the rules require, forgetting curves,
    similarity with null and ceiling, order, exchanged states, and the outcome of each hypothesis.
    Run it again to resume.

    Example: popjax bridge same-deck
    """

    study: str = "same-deck"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.same_deck.study import STUDY

        self.run_and_show(STUDY, console)


@dataclass(frozen=True)
class BridgeVerdict(StudyCommand):
    """The price of a verdict: how far does supervision alone explain the gap to language models?

    One network on its own histories, decks of 2, 4 and 8 suits, feedback by labels, verdicts (right
    or wrong) or sums of verdicts. Reports tokens to a criterion beside the closed form, learning
    curves over tokens and nats, signal and noise of gradients, and the outcome of each hypothesis.
    Run it again to resume.

    Example: popjax bridge verdict
    """

    study: str = "verdict"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.factorial import study as factorial
        from experiments.bridge.page import show
        from experiments.bridge.verdict.study import STUDY

        for context in self.run_study(STUDY, console):
            config = context.config
            asked = (context.folder, config.factorial, config.memory, config.seeds)
            six = factorial.six_cells(*asked, console)
            beside = factorial.grids(six), factorial.sections(six)
            show(STUDY.shown(context, self.preset, *beside), context.folder, console)


@dataclass(frozen=True)
class BridgeLoop(StudyCommand):
    """Opening and closing the loop: what a model does when its outputs become its inputs.

    A clone that copies itself, one that mistakes its own guesses for evidence, a language model
    that samples decks, and what fine-tuning for reward forgets, each beside a closed form or an
    exact rule, with the outcome of each hypothesis. Run it again to resume.

    Example: popjax bridge loop
    """

    study: str = "loop"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.loop.study import STUDY

        self.run_and_show(STUDY, console)


@dataclass(frozen=True)
class BridgeForgetting:
    """How fast each memory forgets, as an agent and as a language model.

    Trains the cells that are missing, then decodes from states on the same histories what they
    still hold about each earlier token: half-life and decodable nats, beside the untrained network.
    Run it again to resume, or with more environments and memories.

    Example: popjax bridge forgetting --envs RepeatPreviousEasy --memories gru s5
    """

    preset: str = "mini"
    """How the cells are trained and measured: mini, gpu or smoke."""
    envs: tuple[str, ...] = ()
    """Environments instead of the preset's; `all` for every one."""
    memories: tuple[str, ...] = ()
    """Memory models instead of the preset's."""
    seeds: Seeds | None = None
    """How many seeds instead of the preset's."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = "forgetting"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.forgetting import STUDY, preset_of
        from experiments.bridge.page import show
        from experiments.bridge.study import run

        config = preset_of(self.preset, self.envs, self.memories, self.seeds)
        context = run(STUDY, config, self.out, self.study, console)
        show(STUDY.shown(context, self.preset), context.folder, console)


@dataclass(frozen=True)
class BridgeKinship:
    """Is what an agent remembers the same kind of thing as what a language model does?

    For each environment and architecture, agents and language models with one backbone are tuned
    alike, trained, and measured on the same histories: what each holds, read through noise, and how
    well each goes on with the other's states. Every cell gets a verdict by registered rules. Run it
    again to resume. Finished cells of the full table come with the package: --show.

    Example: popjax bridge kinship --show
    """

    preset: str = "mini"
    """Size: mini (one cell, minutes on two cores), full (the whole table), or smoke, which only
    checks that everything runs."""
    envs: tuple[str, ...] = ()
    """Environments instead of the preset's."""
    memories: tuple[str, ...] = ()
    """Memory models instead of the preset's."""
    show: bool = False
    """Show the cells that come with the package; nothing is trained."""
    format: Literal["table", "json"] = "table"
    """With --show: tables, picture and page, or the cells as a list of JSON records."""
    cell: tuple[str, str] | None = None
    """Train one cell that comes with the package again (environment and memory) and compare."""
    keep: bool = False
    """Keep the finished cells with the sources."""
    dry_run: bool = False
    """List the cells, their steps and what they will take, and train nothing."""
    out: Path = DEFAULT_OUT
    """Folder of all studies."""
    study: str = "kinship"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.kinship import kept
        from experiments.bridge.kinship.config import config_with
        from experiments.bridge.kinship.study import STUDY, list_cells, provenance, trained
        from experiments.bridge.page import show
        from experiments.bridge.study import run

        if self.show:
            self.show_kept(console)
            return
        if self.cell:
            self.run_again(console)
            return
        config = config_with(self.preset, self.envs, self.memories)
        if self.dry_run:
            list_cells(config, self.out / self.study, console)
            return
        context = run(STUDY, config, self.out, self.study, console)
        if self.keep:
            for part, table in context.tables["cells"].items():
                spec, nets = provenance(context, part), trained(context, part)
                kept.keep(*part, table, spec, nets)
        show(STUDY.shown(context, self.preset), context.folder, console)

    def show_kept(self, console: Console) -> None:
        from experiments.bridge.kinship import kept
        from experiments.bridge.kinship.study import shown_of
        from experiments.bridge.page import show
        from experiments.results.store import open_study

        if self.format == "json":
            print(json.dumps(kept.records(), indent=1))
            return
        found = {(env, memory): table for env, memory, table, _ in kept.cells()}
        if not found:
            raise UserError("no finished cell comes with this package")
        folder = open_study(self.out, f"{self.study}-kept", {"kind": "kinship"})
        show(shown_of(kept.verdicts(), found, {"cells": len(found)}), folder, console)

    def run_again(self, console: Console) -> None:
        from experiments.bridge.kinship.study import compare_again

        part = env_name(self.cell[0]), memory_name(self.cell[1])
        compare_again(part, self.out, f"{self.study}-again", console)


@dataclass(frozen=True)
class BridgeFloors:
    """The lowest loss that any predictor of the next token can have, in nats, for all environments.

    Where actions matter, a floor depends on the player who makes the histories. "exact" is the
    floor itself; "at most" is an upper bound: the floor lies between 0 and the number, and a model
    can go below it.

    Example: popjax bridge floors --envs HigherLowerEasy MineSweeperHard
    """

    envs: tuple[str, ...] = ()
    """Environments to list; all if not given."""
    out: Path | None = None
    """Also write the table to this file, .json or .csv."""

    def run(self, console: Console) -> None:
        from popjax.floors import floor_table

        if self.out and self.out.suffix not in (".json", ".csv"):
            raise UserError(f"--out takes a .json or a .csv file, not {self.out}")
        names = {env_name(name) for name in self.envs}
        floors = [floor for floor in floor_table() if not names or floor.env_id in names]
        table = Table(title="entropy floors, in nats")
        for name in ("id", "player"):
            table.add_column(name, no_wrap=True)
        for name in ("per token", "s.e.", "per episode", "s.e. ", "tokens", "worth of memory"):
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
    """Nats per token between the best predictor without memory and the best of all, where known."""
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
class BridgeCopycat(StudyCommand):
    """A model that predicts 99 % of an expert's actions by copying, and what it earns by itself.

    Beside it the copier's closed form, a clone that can only copy, DAgger, and a clone that does
    not see its own actions. Run it again to resume.

    Example: popjax bridge copycat --memory gru
    """

    study: str = "copycat"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.loop.copycat import STUDY

        self.run_and_show(STUDY, console)


@dataclass(frozen=True)
class BridgeFactorial(StudyCommand):
    """Six ways between a language model and an agent: two targets times three kinds of feedback.

    The next observation or the oracle's action, on a tiny deck, learned from labels, from a verdict
    (right or wrong) per step, or from one sum per episode. Run it again to resume.

    Example: popjax bridge factorial --memory gru
    """

    study: str = "factorial"
    """Name of the study: a folder in `out`."""

    def run(self, console: Console) -> None:
        from experiments.bridge.factorial.study import STUDY

        self.run_and_show(STUDY, console)


BRIDGES = {
    "gears": BridgeGears,
    "floors": BridgeFloors,
    "tokens": BridgeTokens,
    "overlap": BridgeOverlap,
    "compare": BridgeCompare,
    "kinship": BridgeKinship,
    "copycat": BridgeCopycat,
    "factorial": BridgeFactorial,
    "same-deck": BridgeSameDeck,
    "verdict": BridgeVerdict,
    "ruler": study_command("ruler", "experiments.bridge.ruler"),
    "flow": study_command("flow", "experiments.bridge.flow"),
    "loop": BridgeLoop,
    "forgetting": BridgeForgetting,
}


Kinds = Union[  # noqa: UP007
    tuple(Annotated[kind, tyro.conf.subcommand(name)] for name, kind in BRIDGES.items())
]


@dataclass(frozen=True)
class Bridge:
    """Agents compared with language models: concepts, floors, tokens and experiments.

    Example: popjax bridge floors --envs HigherLowerEasy
    """

    what: Kinds
    """What to run."""

    def run(self, console: Console) -> None:
        self.what.run(console)
