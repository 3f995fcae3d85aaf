"""A language model of an expert's transcripts that is nearly always right, and fails when it acts.

In RepeatFirst the expert repeats one action, so a model that reads its own previous action can
foretell the next by copying it and need remember nothing (Wen et al. 2020, arXiv 2010.14876). Four
runs of equal length are looked at twice: when a sample of the policy first foretells 99 % of an
expert's actions on new decks, as far as one looks every few updates, and at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from agents.lanes import lane_keys
from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, inputs_of
from experiments.bridge.loop.panels import OWN, plot_loops
from experiments.bridge.measures.closed_loop import InBothLoops
from experiments.bridge.measures.exposure_bias import judge, open_right
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import Context, Stage, Study, Watch, record_of
from experiments.reports.statistics import format_iqm, iqm
from experiments.reports.style import DOTS, GREY, INK, furnish
from experiments.results.files import Table, stack_tables
from experiments.results.spec import CellSpec, NetworkConfig, Settings
from experiments.train.cell import cell
from experiments.train.compile import lane_hyperparams
from experiments.train.objectives import REGIMES, Trainer
from popjax import make

TRAINED_ON = "RepeatFirstEasy"
CRITERION = 0.99
STOPS = ("99 %", "end")


@dataclass(frozen=True)
class CopycatCondition:
    """One way to train. memory: instead of the one asked for."""

    title: str
    regime: str
    previous_action: str
    memory: str | None = None


RUNS = {
    "clone": CopycatCondition("clone", "clone", "on"),
    "memoryless": CopycatCondition("clone, no memory", "clone", "on", memory="mlp"),
    "dagger": CopycatCondition("DAgger", "dagger", "on"),
    "blind": CopycatCondition("clone, cards only", "clone", "off"),
}
"""The first could copy or remember, the second can only copy, the third is told what is right in
histories of its own, the last can only remember."""


@dataclass(frozen=True)
class Config:
    """Which runs, how they are trained, and on which levels they are judged."""

    settings: Settings
    runs: tuple[str, ...]
    levels: tuple[str, ...]
    memory: str = "gru"
    seeds: int = 5

    def spec(self, name: str) -> CellSpec:
        run = RUNS[name]
        lm = replace(self.settings.lm, previous_action=run.previous_action)
        settings = replace(self.settings, seeds=self.seeds, lm=lm)
        return cell(TRAINED_ON, run.memory or self.memory, settings, run.regime)

    @property
    def files(self) -> dict[str, str]:
        """The stem of the file of each run; one without memory is not trained twice."""
        specs = {name: self.spec(name) for name in self.runs}
        if specs.get("memoryless") == specs["clone"]:
            del specs["memoryless"]
        return {name: f"{name}-{spec.id}" for name, spec in specs.items()}


PRESETS = {
    "mini": Config(
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
    "smoke": Config(
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


def judged(spec: CellSpec, levels: tuple[str, ...], watch: Watch) -> Table:
    """Trains all seeds of a run; what `exposure_bias.judge` finds at both stops, one line a level,
    stop, seed and step of the episode. tokens: read until the stop; not-a-number if it was never
    reached."""
    trainer = REGIMES[spec.regime].trainer(spec)
    inputs = inputs_of(trainer.env, spec.settings.lm)
    agent = LanguageAgent.of(trainer.env, trainer.network, inputs)
    key_train, key_held_out = lane_keys(spec.seeds)
    key_look, key_judge = jax.vmap(jax.random.split, out_axes=1)(key_held_out)
    params, updates = trained(spec, trainer, agent, key_train, key_look, watch)
    tokens = updates * spec.steps_per_update  # [stop, seed]
    tables = []
    for level in levels:
        there = LanguageAgent.of(make(level), trainer.network, inputs)
        one = partial(judge, there, spec.settings.eval_episodes)
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
    return stack_tables(tables)


def trained(
    spec: CellSpec,
    trainer: Trainer,
    agent: LanguageAgent,
    key_train: Key[Array, " seeds"],
    key_look: Key[Array, " seeds"],
    watch: Watch,
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
        right = open_right(agent, episodes, state.params, key)
        now = jnp.isnan(stopped) & (right >= CRITERION)
        kept = jax.tree.map(lambda new, old: jnp.where(now, new, old), state.params, kept)
        return state, kept, jnp.where(now, state.update, stopped)

    run = begin(key_train, hyperparams)
    looks = range(spec.num_updates // spec.updates_per_segment)
    for _ in watch(looks):
        run = jax.block_until_ready(advance(run, key_look, hyperparams))
    state, kept, stopped = run
    params = jax.tree.map(lambda *leaves: jnp.stack(leaves), kept, state.params)
    return params, np.stack([stopped, np.full(len(stopped), spec.num_updates)])


CURVES = ("open_right", "closed_right", "open_nats", "closed_nats")


@dataclass(frozen=True)
class Outcome(InBothLoops):
    """One run at one stop on one level, of the seeds so far: see `exposure_bias.judge`."""

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


def loops_table(outcomes: list[Outcome]) -> Grid:
    """Both loops on one level."""
    headings = (
        *("trained as", "looked at", "seeds", "k tokens", "open loop", "own loop"),
        *("return [95 %]", "copier's", "if steady", "rememberer's", "slip undone", "%ExAccErr"),
    )
    rows = [
        (
            RUNS[outcome.name].title,
            outcome.stop,
            f"{len(outcome.tokens)} of {outcome.asked}",
            f"{iqm(outcome.tokens) / 1e3:.0f}",
            f"{100 * iqm(outcome.open_right.mean(axis=1)):.2f} %",
            f"{100 * iqm(outcome.closed_right.mean(axis=1)):.2f} %",
            format_iqm(outcome.returns),
            f"{iqm(outcome.as_copier):.2f}",
            f"{iqm(outcome.as_steady_copier):.2f}",
            f"{iqm(outcome.as_rememberer):.2f}",
            f"{100 * iqm(outcome.undone):.1f} %",
            f"{iqm(outcome.excess):.0f}",
        )
        for outcome in outcomes
    ]
    return Grid(f"{TRAINED_ON}, interquartile means over seeds", headings, rows)


def levels_table(outcomes: list[Outcome]) -> Grid:
    """Returns on longer episodes than those trained on, beside both closed forms."""
    levels = list(dict.fromkeys(outcome.level for outcome in outcomes))
    rows = {(o.name, o.stop): [] for o in outcomes}
    for outcome in outcomes:
        three = (outcome.returns, outcome.as_copier, outcome.as_rememberer)
        rows[outcome.name, outcome.stop].append(" / ".join(f"{iqm(x):.2f}" for x in three))
    steps = {o.level: o.open_right.shape[1] for o in outcomes}
    return Grid(
        "return: own / a copier's / a rememberer's",
        ("trained as", "looked at", *(f"{level}, {steps[level]} steps" for level in levels)),
        [(RUNS[name].title, stop, *cells) for (name, stop), cells in rows.items()],
    )


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


CHANCE = 1 / 4


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
    """One run."""
    last = outcome.open_right.shape[1]
    panel.axhline(CHANCE, **DOTS)
    plot_loops(panel, outcome.open_right, outcome.closed_right, outcome.copier)
    panel.set_title(
        f"{RUNS[outcome.name].title}\nearns {iqm(outcome.returns):.2f} by itself",
        loc="left",
        fontsize=9.5,
        color=INK,
    )
    panel.set_xlabel("step of the episode", color=INK, fontsize=9)
    panel.set_ylim(0.15, 1.02)
    panel.set_xlim(1, last)
    panel.set_xticks([1, last])
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


def shown(context: Context, preset: str) -> Shown:
    """The table of the level that was trained on, that of the returns of all, and the reading."""
    outcomes = outcomes_of(context.tables["runs"])
    here = [outcome for outcome in outcomes if outcome.level == TRAINED_ON]
    grids = [loops_table(here)] + ([levels_table(outcomes)] if len(here) < len(outcomes) else [])
    drawn = [outcome for outcome in here if outcome.stop == STOPS[0]]
    figure = draw(drawn) if drawn else None
    words = f"{TRAINED_ON}: how right each policy is, step by step, in both loops"
    pictures = [Picture(figure, words)] if figure else []
    sections = [Section("In both loops", "", [*pictures, *grids])]
    settings = {"preset": preset, **record(context.config)}
    return Shown("copycat", "A copycat", reading(here), [], grids, sections, figure, 130, settings)


def run_one(context: Context, name: str, watch: Watch) -> Table:
    return judged(context.config.spec(name), context.config.levels, watch)


def record(config: Config) -> dict[str, Any]:
    return {"memory": config.spec("clone").memory, "seeds": config.seeds, **record_of(config)}


def headline(context: Context, tables: int, finished: int) -> str:
    spec = context.config.spec("clone")
    return (
        f"{tables} runs of {context.config.seeds} seeds in {context.folder}: {finished} finished, "
        f"{spec.num_updates * spec.steps_per_update / 1e6:.2f} million tokens a seed in each of "
        "the others"
    )


STUDY = Study(
    name="copycat",
    presets=PRESETS,
    stages=[
        Stage(
            "runs",
            conditions=lambda config: config.files,
            title=lambda name: RUNS[name].title,
            run=run_one,
        )
    ],
    shown=shown,
    record=record,
    headline=headline,
)
