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
from rich.console import Console
from rich.progress import track

from agents.lm import LMConfig, inputs_of
from agents.rollout import Inputs
from experiments.bridge.loops import judge, open_right
from experiments.bridge.store import tables_of
from experiments.errors import UserError
from experiments.programs import lane_hyperparams, lane_keys
from experiments.regimes import REGIMES, Trainer
from experiments.results import Table, open_study
from experiments.specs import CellSpec, NetworkConfig, Settings, cell
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
