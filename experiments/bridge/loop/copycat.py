"""A language model of an expert's transcripts that is nearly always right, and fails when it acts.

In RepeatFirst the expert repeats one action, so a model that reads its own previous action can
foretell the next by copying it and need remember nothing (Wen et al. 2020, arXiv 2010.14876). Four
runs of equal length are looked at twice: when a sample of the policy first foretells 99 % of an
expert's actions on new decks, as far as one looks every few updates, and at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import track
from rich.table import Table as Printed

from agents.lm import LMConfig, inputs_of
from agents.rollout import Inputs
from experiments.bridge.measures.closed_loop import copied, excess_error, expected_return, steady
from experiments.bridge.measures.exposure_bias import judge, open_right
from experiments.bridge.store import tables_of
from experiments.reports.statistics import interval, iqm
from experiments.reports.style import DOTS, GREY, INK, furnish, write
from experiments.results.errors import UserError
from experiments.results.spec import CellSpec, NetworkConfig, Settings
from experiments.results.store import Table, open_study
from experiments.train.cell import cell
from experiments.train.compile import lane_hyperparams, lane_keys
from experiments.train.objectives import REGIMES, Trainer
from popjax import make
from popjax.words import nearest

TRAINED_ON = "RepeatFirstEasy"
CRITERION = 0.99
STOPS = ("99 %", "end")


@dataclass(frozen=True)
class Run:
    """One way to train. memory: instead of the one asked for."""

    title: str
    regime: str
    previous_action: str
    memory: str | None = None


RUNS = {
    "clone": Run("clone", "clone", "on"),
    "memoryless": Run("clone, no memory", "clone", "on", memory="mlp"),
    "dagger": Run("DAgger", "dagger", "on"),
    "blind": Run("clone, cards only", "clone", "off"),
}
"""The first could copy or remember, the second can only copy, the third is told what is right in
histories of its own, the last can only remember."""


@dataclass(frozen=True)
class Preset:
    """Which runs, how they are trained, and on which levels they are judged."""

    settings: Settings
    runs: tuple[str, ...]
    levels: tuple[str, ...]

    def spec(self, run: Run, memory: str, seeds: int) -> CellSpec:
        lm = replace(self.settings.lm, previous_action=run.previous_action)
        settings = replace(self.settings, seeds=seeds, lm=lm)
        return cell(TRAINED_ON, run.memory or memory, settings, run.regime)


PRESETS = {
    "mini": Preset(
        Settings(
            total_steps=600 * 64 * 51,
            num_segments=60,
            eval_episodes=512,
            network=NetworkConfig(features=32, head_features=32),
            lm=LMConfig(num_episodes=64),
            hyperparams={"learning_rate": 1e-3},
        ),
        runs=tuple(RUNS),
        levels=("RepeatFirstEasy", "RepeatFirstMedium", "RepeatFirstHard"),
    ),
    "smoke": Preset(
        Settings(
            total_steps=60 * 16 * 51,
            num_segments=6,
            eval_episodes=64,
            network=NetworkConfig(features=16, head_features=16),
            lm=LMConfig(num_episodes=16),
            hyperparams={"learning_rate": 1e-2},
        ),
        runs=("clone",),
        levels=("RepeatFirstEasy",),
    ),
}


def copycat(
    out: Path, study: str, preset: str, memory: str, seeds: int, console: Console
) -> tuple[Path, dict[str, Table]]:
    """Trains and judges what is not there yet, one file a run. The folder of the study, and what
    `judged` tells of each run."""
    if preset not in PRESETS:
        raise UserError(nearest(preset, PRESETS, "preset"))
    chosen = PRESETS[preset]
    specs = {name: chosen.spec(RUNS[name], memory, seeds) for name in chosen.runs}
    if specs.get("memoryless") == specs["clone"]:
        del specs["memoryless"]
    asked = {"kind": "copycat", "preset": preset, "memory": specs["clone"].memory, "seeds": seeds}
    folder = open_study(out, study, asked)
    files = {name: folder / f"{name}-{spec.id}.parquet" for name, spec in specs.items()}
    finished = sum(file.exists() for file in files.values())
    console.print(
        f"{len(specs)} runs of {seeds} seeds in {folder}: {finished} finished, "
        f"{specs['clone'].num_updates * specs['clone'].steps_per_update / 1e6:.2f} million tokens "
        "a seed in each of the others"
    )
    tables = tables_of(
        files,
        {name: RUNS[name].title for name in files},
        lambda name, title: judged(specs[name], chosen.levels, title, console),
        console,
    )
    return folder, tables


def judged(spec: CellSpec, levels: tuple[str, ...], title: str, console: Console) -> Table:
    """Trains all seeds of a run; what `loops.judge` finds at both stops, one line a level, stop,
    seed and step of the episode. tokens: read until the stop; not-a-number if it never came."""
    trainer = REGIMES[spec.regime].trainer(spec)
    inputs = inputs_of(trainer.env, spec.settings.lm)
    key_train, key_held_out = lane_keys(spec.seeds)
    key_look, key_judge = jax.vmap(jax.random.split, out_axes=1)(key_held_out)
    params, updates = trained(spec, trainer, inputs, key_train, key_look, title, console)
    tokens = updates * spec.steps_per_update  # [stop, seed]
    tables = []
    for level in levels:
        one = partial(judge, make(level), trainer.network, inputs, spec.settings.eval_episodes)
        found = jax.jit(jax.vmap(jax.vmap(one), in_axes=(0, None)))(params, key_judge)
        axes = np.indices(found["open_right"].shape).reshape(3, -1)  # [stop, seed, t]
        columns = {"tokens": tokens} | {name: np.asarray(leaf) for name, leaf in found.items()}
        tables.append(
            {
                "level": np.full(axes.shape[1], level),
                "stop": np.array(STOPS)[axes[0]],
                "seed": np.array(spec.seeds)[axes[1]],
                "t": axes[2],
            }
            | {
                name: np.float64(column[tuple(axes[: column.ndim])])
                for name, column in columns.items()
            }
        )
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def trained(
    spec: CellSpec,
    trainer: Trainer,
    inputs: Inputs,
    key_train: Key[Array, " seeds"],
    key_look: Key[Array, " seeds"],
    title: str,
    console: Console,
) -> tuple[Any, Float[np.ndarray, "stop seeds"]]:
    """The parameters at both stops, and after how many updates; not-a-number where the first stop
    never came."""
    hyperparams = lane_hyperparams(spec)

    @jax.jit
    @jax.vmap
    def begin(key, hyperparams):
        state = trainer.init(key, hyperparams, spec.num_updates)
        return state, state.params, jnp.nan

    @partial(jax.jit, donate_argnums=0)
    @jax.vmap
    def advance(run, key, hyperparams):
        state, kept, stopped = run
        state, _ = trainer.segment(state, hyperparams, spec.updates_per_segment)
        episodes = spec.settings.lm.num_episodes
        right = open_right(trainer.env, trainer.network, inputs, episodes, state.params, key)
        now = jnp.isnan(stopped) & (right >= CRITERION)
        kept = jax.tree.map(lambda new, old: jnp.where(now, new, old), state.params, kept)
        return state, kept, jnp.where(now, state.update, stopped)

    run = begin(key_train, hyperparams)
    looks = range(spec.num_updates // spec.updates_per_segment)
    for _ in track(looks, title, console=console, transient=True, disable=not console.is_terminal):
        run = jax.block_until_ready(advance(run, key_look, hyperparams))
    state, kept, stopped = run
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), kept, state.params)
    return params, np.stack([stopped, np.full(len(stopped), spec.num_updates)])


CURVES = ("open_right", "closed_right", "open_nats", "closed_nats")


@dataclass(frozen=True)
class Outcome:
    """One run at one stop on one level, of the seeds that came so far: see `loops.judge`."""

    name: str
    stop: str
    level: str
    asked: int
    tokens: Float[np.ndarray, " seeds"]
    open_right: Float[np.ndarray, "seeds T"]
    closed_right: Float[np.ndarray, "seeds T"]
    open_nats: Float[np.ndarray, "seeds T"]
    closed_nats: Float[np.ndarray, "seeds T"]
    returns: Float[np.ndarray, " seeds"]
    undone: Float[np.ndarray, " seeds"]

    @property
    def copier(self) -> Float[np.ndarray, "seeds T"]:
        """How often a copier with the same errors would be right in its own loop."""
        return copied(1 - self.open_right)

    @property
    def as_copier(self) -> Float[np.ndarray, " seeds"]:
        """What such a copier would earn."""
        return expected_return(self.copier)

    @property
    def as_steady_copier(self) -> Float[np.ndarray, " seeds"]:
        """What a copier would earn whose slips have the same mean, spread evenly."""
        return expected_return(copied(steady(1 - self.open_right)))

    @property
    def as_rememberer(self) -> Float[np.ndarray, " seeds"]:
        """What one would earn whose errors never depend on its own actions."""
        return expected_return(self.open_right)

    @property
    def copies(self) -> bool:
        """What it earns is nearer to a copier's than to a rememberer's."""
        own, copier, rememberer = map(iqm, (self.returns, self.as_copier, self.as_rememberer))
        return bool(abs(own - copier) < abs(own - rememberer))


def outcomes_of(tables: dict[str, Table]) -> list[Outcome]:
    """All runs, levels and stops, in order; a stop that no seed came to is left out."""
    outcomes = []
    for name, table in tables.items():
        for level in dict.fromkeys(table["level"].tolist()):
            for stop in STOPS:
                of_all = (table["level"] == level) & (table["stop"] == stop)
                here = of_all & np.isfinite(table["tokens"].astype(float))
                if here.any():
                    outcomes.append(_outcome(name, stop, level, table, of_all, here))
    return outcomes


def _outcome(name, stop, level, table, of_all, here) -> Outcome:
    seeds = np.unique(table["seed"][here])
    order = np.lexsort((table["t"][here], table["seed"][here]))
    columns = {
        key: table[key][here].astype(np.float64)[order].reshape(len(seeds), -1)
        for key in ("tokens", "return", "undone", *CURVES)
    }
    return Outcome(
        name,
        stop,
        level,
        asked=len(np.unique(table["seed"][of_all])),
        tokens=columns.pop("tokens")[:, 0],
        returns=columns.pop("return")[:, 0],
        undone=columns.pop("undone")[:, 0],
        **columns,
    )


def print_outcomes(outcomes: list[Outcome], console: Console) -> None:
    """The table of the level that was trained on, that of the returns of all, and the reading."""
    here = [outcome for outcome in outcomes if outcome.level == TRAINED_ON]
    console.print(loops_table(here))
    if len(here) < len(outcomes):
        console.print(levels_table(outcomes))
    console.print(reading(here))


def loops_table(outcomes: list[Outcome]) -> Printed:
    """Both loops on one level."""
    table = Printed(title=f"{TRAINED_ON}, interquartile means over seeds")
    for name in ("trained as", "looked at"):
        table.add_column(name, no_wrap=True)
    for name in (
        *("seeds", "k tokens", "open loop", "own loop", "return [95 %]", "copier's"),
        *("if steady", "rememberer's", "slip undone", "%ExAccErr"),
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for outcome in outcomes:
        excess = excess_error(outcome.open_nats, outcome.closed_nats)
        table.add_row(
            RUNS[outcome.name].title,
            outcome.stop,
            f"{len(outcome.tokens)} of {outcome.asked}",
            f"{iqm(outcome.tokens) / 1e3:.0f}",
            f"{100 * iqm(outcome.open_right.mean(axis=1)):.2f} %",
            f"{100 * iqm(outcome.closed_right.mean(axis=1)):.2f} %",
            with_interval(outcome.returns),
            f"{iqm(outcome.as_copier):.2f}",
            f"{iqm(outcome.as_steady_copier):.2f}",
            f"{iqm(outcome.as_rememberer):.2f}",
            f"{100 * iqm(outcome.undone):.1f} %",
            f"{iqm(excess):.0f}",
        )
    return table


def levels_table(outcomes: list[Outcome]) -> Printed:
    """Returns on longer episodes than those trained on, beside both closed forms."""
    levels = list(dict.fromkeys(outcome.level for outcome in outcomes))
    table = Printed(title="return: own / a copier's / a rememberer's")
    for name in ("trained as", "looked at"):
        table.add_column(name, no_wrap=True)
    rows = {(o.name, o.stop): [] for o in outcomes}
    for outcome in outcomes:
        three = (outcome.returns, outcome.as_copier, outcome.as_rememberer)
        rows[outcome.name, outcome.stop].append(" / ".join(f"{iqm(x):.2f}" for x in three))
    for level in levels:
        steps = next(o.open_right.shape[1] for o in outcomes if o.level == level)
        table.add_column(f"{level}, {steps} steps", justify="right")
    for (name, stop), cells in rows.items():
        table.add_row(RUNS[name].title, stop, *cells)
    return table


def with_interval(values: Float[np.ndarray, " seeds"]) -> str:
    """The interquartile mean and its bootstrap interval over seeds."""
    low, high = interval([values])
    return f"{iqm(values):.2f} [{low:.2f}, {high:.2f}]"


def reading(outcomes: list[Outcome]) -> str:
    """What the first run says, and what the others add, in a few words."""
    found = {(o.name, o.stop): o for o in outcomes}
    clone = found.get(("clone", STOPS[0]))
    if clone is None:
        return f"No clone ever foretold {CRITERION:.0%} of the expert's actions: nothing to read."
    own, copier, rememberer = map(iqm, (clone.returns, clone.as_copier, clone.as_rememberer))
    words = (
        f"With {iqm(clone.open_right.mean(axis=1)):.1%} of the expert's actions foretold, the "
        f"clone earns {own:.2f} by itself, where a copier with its errors would earn {copier:.2f} "
        f"and one that remembers {rememberer:.2f}: it "
        f"{'copies' if clone.copies else 'does not just copy'}"
    )
    others = [
        f"{RUNS[name].title} {iqm(found[name, STOPS[0]].returns):.2f}"
        for name in RUNS
        if name != "clone" and (name, STOPS[0]) in found
    ]
    return words + (f". As far in the open loop: {'; '.join(others)}." if others else ".")


OWN = "#c2410c"
CHANCE = 1 / 4


def write_figure(outcomes: list[Outcome], folder: Path) -> list[Path]:
    """`copycat.png` and `copycat.svg`; nothing if no run came to the first stop."""
    shown = [o for o in outcomes if o.level == TRAINED_ON and o.stop == STOPS[0]]
    if not shown:
        return []
    return write(draw(shown), folder, "copycat", dpi=130)


def draw(outcomes: list[Outcome]) -> Figure:
    """One panel an outcome."""
    figure = Figure(figsize=(2.9 * len(outcomes) + 0.6, 3.4), layout="constrained")
    figure.suptitle(
        f"{TRAINED_ON}: each foretells {100 * CRITERION:.0f} % of an expert's actions",
        x=0.01,
        ha="left",
        fontsize=11,
        color=INK,
    )
    panels = figure.subplots(1, len(outcomes), sharex=True, sharey=True, squeeze=False)[0]
    for panel, outcome in zip(panels, outcomes, strict=True):
        draw_loops(panel, outcome)
    panels[0].set_ylabel("probability of the right action", color=INK, fontsize=9)
    label_lines(panels[0], outcomes[0])
    return figure


def draw_loops(panel: Axes, outcome: Outcome) -> None:
    """Seeds thin, their interquartile mean thick."""
    t = np.arange(1, outcome.open_right.shape[1] + 1)
    panel.axhline(CHANCE, **DOTS)
    panel.plot(t, outcome.closed_right.T, color=OWN, linewidth=0.6, alpha=0.35)
    panel.plot(t, iqm(outcome.open_right, axis=0), color=GREY, linewidth=4.0)
    panel.plot(t, iqm(outcome.closed_right, axis=0), color=OWN, linewidth=1.6)
    panel.plot(t, iqm(outcome.copier, axis=0), color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    panel.set_title(
        f"{RUNS[outcome.name].title}\nearns {iqm(outcome.returns):.2f} by itself",
        loc="left",
        fontsize=9.5,
        color=INK,
    )
    panel.set_xlabel("step of the episode", color=INK, fontsize=9)
    panel.set_ylim(0.15, 1.02)
    panel.set_xlim(1, len(t))
    panel.set_xticks([1, len(t)])
    panel.set_yticks([CHANCE, 0.5, 0.75, 1], ["chance", "0.5", "0.75", "1"])
    furnish(panel)


def label_lines(panel: Axes, outcome: Outcome) -> None:
    """Names at the lines, instead of a legend."""
    last = outcome.open_right.shape[1]
    under = outcome.closed_right[:, -1].min() - 0.03
    for name, colour, height in (
        ("the expert acts", GREY, outcome.open_right[:, -1].min() - 0.02),
        ("it acts itself", OWN, under),
        ("a copier with its errors", INK, under - 0.06),
    ):
        panel.text(last, height, name, color=colour, fontsize=8.5, ha="right", va="top")
