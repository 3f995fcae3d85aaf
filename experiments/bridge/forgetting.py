"""How fast every memory model forgets, as agent and as language model.

For each environment and memory, an agent and a language model are trained with the same backbone
and the same inputs. Then all of them, and their untrained copies, read the same histories, and
linear probes measure what their states still hold of each earlier token.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib.figure import Figure

from agents import checkpoint
from agents.lanes import lane_keys
from agents.lm import LMConfig, episode_inputs, inputs_of
from agents.ppo import PPOConfig
from agents.sharding import placed_like
from experiments.bridge.measures.retention import (
    censored_median,
    features_along,
    half_life,
    recoverable,
    retention,
    word,
)
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import Context, Stage, Study, Watch, record_of
from experiments.reports.statistics import format_spread
from experiments.reports.style import DOTS, GREY, INK, furnish
from experiments.results.errors import UserError
from experiments.results.spec import CellSpec, NetworkConfig, Settings
from experiments.results.store import Cell, Table
from experiments.sweep.run import run_cells
from experiments.train.build import env_name, memory_name
from experiments.train.cell import cell
from experiments.train.compile import lane_hyperparams
from experiments.train.objectives import REGIMES
from popjax import make
from popjax.players import Episodes
from popjax.tokens import target_of
from popjax.tokens.corpora import corpus
from popjax.words import nearest

COSTUMES = {"agent": "ppo", "language model": "lm"}
GROUPS = 8  # finer tokens are binned into so many groups of equal frequency
ALIVE = 0.8  # of the episodes last until the probed step


@dataclass(frozen=True)
class Preset:
    """Which cells, how they are trained, and how they are probed: at most `longest` lags, on `rows`
    histories."""

    envs: tuple[str, ...]
    memories: tuple[str, ...]
    settings: Settings
    agent_steps: int
    model_steps: int
    longest: int = 24
    rows: int = 2048
    name: str = ""

    @property
    def seeds(self) -> int:
        return self.settings.seeds

    @property
    def specs(self) -> dict[tuple[str, str], dict[str, CellSpec]]:
        """For each environment and memory: the cell of each costume."""
        pairs = [(env, memory) for env in self.envs for memory in self.memories]
        return {pair: specs_of(self, *pair) for pair in pairs}


def settings_of(seeds: int, features: int) -> Settings:
    size = NetworkConfig(features=features, head_features=features, separate_critic=True)
    ppo = PPOConfig(num_envs=32, num_steps=64, num_epochs=4, num_minibatches=4)
    lm = LMConfig(num_episodes=32, player="mixture")
    return Settings(seeds=seeds, num_segments=2, eval_episodes=64, network=size, ppo=ppo, lm=lm)


PRESETS = {
    "mini": Preset(
        ("RepeatPreviousEasy", "HigherLowerEasy"),
        ("gru", "s5", "frame_stack"),
        settings_of(3, 32),
        agent_steps=400_000,
        model_steps=800_000,
    ),
    "gpu": Preset(
        tuple(f"{family}Easy" for family in (
            "Autoencode", "Battleship", "Concentration", "CountRecall", "HigherLower",
            "LabyrinthEscape", "LabyrinthExplore", "MineSweeper", "MultiarmedBandit",
            "NoisyPositionOnlyCartPole", "NoisyPositionOnlyPendulum", "PositionOnlyCartPole",
            "PositionOnlyPendulum", "RepeatFirst", "RepeatPrevious", "VelocityOnlyCartPole",
        )),
        ("gru", "lstm", "s5", "lru", "mamba", "transformer", "mlp"),
        settings_of(5, 128),
        agent_steps=15_000_000,
        model_steps=30_000_000,
        longest=48,
        rows=8192,
    ),
    "smoke": Preset(
        ("RepeatPreviousEasy",),
        ("mlp",),
        settings_of(2, 8),
        agent_steps=4096,
        model_steps=2000,
        longest=3,
        rows=96,
    ),
}  # fmt: skip


def specs_of(preset: Preset, env: str, memory: str) -> dict[str, CellSpec]:
    """One cell per costume; both read the same inputs: own actions only where tokens depend on
    them."""
    inputs = inputs_of(make(env), preset.settings.lm)
    settings = replace(preset.settings, ppo=replace(preset.settings.ppo, inputs=inputs))
    steps = {"agent": preset.agent_steps, "language model": preset.model_steps}
    return {
        costume: cell(env, memory, replace(settings, total_steps=steps[costume]), regime)
        for costume, regime in COSTUMES.items()
    }


@dataclass(frozen=True)
class Histories:
    """The histories that all networks of an environment read.

    episodes: up to the probed step. x, start: `[t + 1, N]`, their inputs. earlier: `[N, lags, m]`,
    the components of the token at each lag before the newest, in at most `classes` groups.
    """

    episodes: Episodes
    x: Float[np.ndarray, "t N d"]
    start: Bool[np.ndarray, "t N"]
    earlier: Int[np.ndarray, "N lags m"]
    classes: int


@cache
def histories_of(env_id: str, config: LMConfig, longest: int, rows: int) -> Histories:
    env = make(env_id)
    episodes = corpus(env, "mixture", 2**20, rows)
    lengths = np.sort(np.asarray(episodes.lengths))
    t = int(min(lengths[int((1 - ALIVE) * rows)] - 1, 2 * longest))
    alive = np.asarray(episodes.valid[t])
    episodes = jax.tree.map(lambda leaf: leaf[: t + 1, alive], episodes)
    x, start = episode_inputs(env, episodes, inputs_of(env, config))
    token, classes = coarse(np.asarray(target_of(env).tokens(episodes)), target_of(env).sizes)
    newest_first = token[t - 1 :: -1][:longest]
    read = np.asarray(x), np.asarray(start)
    return Histories(episodes, *read, newest_first.swapaxes(0, 1), classes)


def coarse(token: Int[np.ndarray, "T N m"], sizes: tuple[int, ...]) -> tuple[np.ndarray, int]:
    """Bins tokens with more values than a probe can learn into ordered groups of equal frequency.

    >>> coarse(np.arange(64).reshape(1, 64, 1), (64,))[0].ravel()[[0, 7, 8, 63]].tolist()
    [0, 0, 1, 7]
    """
    if max(sizes) <= 16:
        return token, max(sizes)
    flat = token.reshape(-1, token.shape[-1])
    edges = np.quantile(flat, np.arange(1, GROUPS) / GROUPS, axis=0)
    return np.sum(token[..., None] > edges.T, axis=-1), GROUPS


def states_of(study: Path, spec: CellSpec, read: Histories) -> dict[str, Any]:
    """`[seeds, N, d]` features that heads read at the probed step, after training and before."""
    trainer = REGIMES[spec.regime].trainer(spec)
    init = jax.jit(jax.vmap(partial(trainer.init, num_updates=spec.num_updates)))
    begun = init(lane_keys(spec.seeds)[0], lane_hyperparams(spec))
    folder = Cell(study, spec).checkpoints
    try:
        update = checkpoint.latest(folder)
        ended = checkpoint.restore(folder, update, placed_like(trainer.mesh, begun))
    except checkpoint.CheckpointError as error:
        raise UserError(str(error)) from None
    x, start = jnp.asarray(read.x), jnp.asarray(read.start)

    @jax.jit
    @jax.vmap
    def look(params):
        return features_along(trainer.network, params, x, start)[-1]

    return {"trained": np.asarray(look(ended.params)), "untrained": np.asarray(look(begun.params))}


def measured(study: Path, preset: Preset, env: str, memory: str) -> Table:
    """Decodable nats, one row per costume, seed and lag: after training, before, and available."""
    read = histories_of(env, preset.settings.lm, preset.longest, preset.rows)
    nets, names = [], []
    for costume, spec in specs_of(preset, env, memory).items():
        for when, states in states_of(study, spec, read).items():
            nets.append(states)
            names += [(costume, when, seed) for seed in spec.seeds]
    states = np.concatenate(nets)
    kept = sum(
        retention(states, read.earlier[..., i], read.classes) for i in range(read.earlier.shape[-1])
    )
    worth = sum(
        np.array([word(column, read.classes).known.mean() for column in component.T])
        for component in np.moveaxis(read.earlier, -1, 0)
    )
    lags = np.arange(kept.shape[1])
    return {
        "costume": np.repeat([name[0] for name in names], len(lags)),
        "when": np.repeat([name[1] for name in names], len(lags)),
        "seed": np.repeat([name[2] for name in names], len(lags)),
        "lag": np.tile(lags, len(names)),
        "nats": kept.ravel(),
        "worth": np.tile(worth, len(names)),
    }


def preset_of(
    name: str, envs: tuple[str, ...], memories: tuple[str, ...], seeds: int | None
) -> Preset:
    """A preset with other environments (`all`: every one), memories or number of seeds."""
    from popjax import ENVS

    if name not in PRESETS:
        raise UserError(nearest(name, PRESETS, "preset"))
    chosen = PRESETS[name]
    envs = tuple(ENVS) if envs == ("all",) else envs or chosen.envs
    return replace(
        chosen,
        name=name,
        envs=tuple(env_name(env) for env in envs),
        memories=tuple(memory_name(memory) for memory in memories or chosen.memories),
        settings=chosen.settings if seeds is None else replace(chosen.settings, seeds=seeds),
    )


def train_cells(context: Context) -> None:
    """Trains the missing cells."""
    specs = [spec for both in context.config.specs.values() for spec in both.values()]
    outcomes = run_cells(context.folder, specs, context.console)
    if not set(outcomes) <= {"finished", "skipped"}:
        raise UserError("not all cells were trained: the same command tries again")


def files_of(config: Preset) -> dict[tuple[str, str], str]:
    """The file stem of each environment and memory, which names the cells."""
    return {
        pair: "-".join([*pair, *(spec.id.rsplit("-", 1)[1] for spec in both.values())])
        for pair, both in config.specs.items()
    }


def run_pair(context: Context, pair: tuple[str, str], watch: Watch) -> Table:
    return measured(context.folder, context.config, *pair)


def shown(context: Context, preset: str) -> Shown:
    """Half-lives and decodable nats of all memories as agent and as language model."""
    tables = context.tables["pairs"]
    table, figure = suite_table(tables), draw(tables)
    picture = Picture(figure, "Decodable nats by lag, as agent and as language model")
    return Shown(
        "forgetting",
        "What each memory forgets, as agent and as language model",
        lead(tables),
        [],
        [table],
        [Section("By lag", "", [picture, table])],
        figure,
        100,
        record_of(context.config),
    )


COLOURS = dict(zip(COSTUMES, ("#c2410c", "#1d4ed8"), strict=True))


class Curve(NamedTuple):
    """One costume. kept, untrained: `[seeds, lags]` nats. worth: `[lags]` available nats."""

    kept: np.ndarray
    untrained: np.ndarray
    worth: np.ndarray

    @property
    def life(self) -> float:
        """The median half-life over seeds, above the untrained network; infinity if longer than the
        measured lags, NaN if the newest input is held no better than there."""
        null = self.untrained.mean(axis=0)
        if np.median(self.kept[:, 0] - null[0]) < 0.02 * self.worth[0]:
            null = np.zeros_like(null)
        return censored_median(half_life(self.kept, null))

    @property
    def total(self) -> np.ndarray:
        """`[seeds]` decodable nats."""
        return recoverable(self.kept)

    @property
    def share(self) -> np.ndarray:
        """`[seeds]` decodable nats as a share of the available nats."""
        return self.total / self.worth.sum()


def curves_of(table: Table) -> dict[str, Curve]:
    """By costume."""

    def pick(costume, when, name="nats"):
        here = (table["costume"] == costume) & (table["when"] == when)
        seeds = len(np.unique(table["seed"][here]))
        order = np.lexsort((table["lag"][here], table["seed"][here]))
        return table[name][here].astype(float)[order].reshape(seeds, -1)

    return {
        costume: Curve(
            pick(costume, "trained"),
            pick(costume, "untrained"),
            pick(costume, "trained", "worth")[0],
        )
        for costume in COSTUMES
    }


def life_words(life: float, lags: int) -> str:
    return f"> {lags - 1}" if np.isinf(life) else f"{life:.0f}"


def suite_table(tables: dict[tuple[str, str], Table]) -> Grid:
    """One row per environment and memory, and one per memory over all environments: the score."""
    rows, shares = [], {}
    for (env, memory), table in tables.items():
        curves = curves_of(table)
        agent, model = curves.values()
        lags = len(agent.worth)
        rows.append(
            (
                f"{env}, {memory}",
                life_words(agent.life, lags),
                life_words(model.life, lags),
                format_spread(agent.total),
                format_spread(model.total),
                f"{recoverable(model.untrained).mean():.2f}",
                f"{agent.worth.sum():.2f}",
            )
        )
        for costume, curve in curves.items():
            shares.setdefault(memory, {}).setdefault(costume, []).append(curve.share.mean())
    for memory, both in shares.items():
        means = [f"{100 * np.mean(values):.1f} %" for values in both.values()]
        rows.append((f"all environments, {memory}", "", "", *means, "", ""))
    headings = ("environment, memory", "half-life, agent", "half-life, model", "nats, agent",
                "nats, model", "nats, untrained", "available")  # fmt: skip
    note = (
        "Half-life: the first lag, in steps, at which half the nats of the newest token are gone, "
        "above the untrained network where training added to it; > where it is longer than the "
        "measured lags. Nats: total decoded over those lags, ± s.d. over seeds. The score of a "
        "memory over all environments: the mean share of the available nats that is decoded."
    )
    return Grid("forgetting: decodable nats of earlier inputs", headings, rows, note)


def draw(tables: dict[tuple[str, str], Table]) -> Figure:
    """One panel per environment and memory: nats by lag, both costumes, the untrained network."""
    envs = list(dict.fromkeys(env for env, _ in tables))
    memories = list(dict.fromkeys(memory for _, memory in tables))
    figure = Figure(figsize=(2.9 * len(memories) + 0.8, 2.3 * len(envs) + 0.4),
                    layout="constrained")  # fmt: skip
    panels = figure.subplots(len(envs), len(memories), sharex="row", sharey="row", squeeze=False)
    for (env, memory), table in tables.items():
        panel = panels[envs.index(env), memories.index(memory)]
        for costume, curve in curves_of(table).items():
            panel.plot(curve.kept.T, color=COLOURS[costume], linewidth=0.5, alpha=0.4)
            panel.plot(curve.kept.mean(axis=0), color=COLOURS[costume], linewidth=1.8)
            panel.plot(curve.untrained.mean(axis=0), color=GREY, linewidth=1.0,
                       linestyle=(0, (2, 2)))  # fmt: skip
        panel.plot(curve.worth, **DOTS)
        panel.axhline(0, **DOTS)
        panel.set_title(f"{env}, {memory}", loc="left", fontsize=9, color=INK)
        furnish(panel)
    for panel in panels[-1]:
        panel.set_xlabel("lag, steps", fontsize=9, color=INK)
    for panel in panels[:, 0]:
        panel.set_ylabel("decodable nats", fontsize=9, color=INK)
    words = [*COLOURS.items(), ("untrained", GREY)]
    for i, (name, colour) in enumerate(words):
        panels[0, -1].text(0.98, 0.9 - 0.11 * i, name, color=colour, fontsize=8.5, ha="right",
                           transform=panels[0, -1].transAxes)  # fmt: skip
    return figure


def lead(tables: dict[tuple[str, str], Table]) -> str:
    """Which memory retains most, in each costume."""
    shares: dict[str, dict[str, list[float]]] = {costume: {} for costume in COSTUMES}
    for (_, memory), table in tables.items():
        for costume, curve in curves_of(table).items():
            shares[costume].setdefault(memory, []).append(float(curve.share.mean()))
    words = []
    for costume, found in shares.items():
        means = {memory: np.mean(values) for memory, values in found.items()}
        best = max(means, key=means.get)
        words.append(f"as {costume}s, {best} retains most: {100 * means[best]:.0f} % of the nats")
    text = "; ".join(words).replace("as agents", "As agents")
    return f"{text}."


STUDY = Study(
    name="forgetting",
    presets=PRESETS,
    stages=[Stage("pairs", conditions=files_of, title=" ".join, run=run_pair)],
    shown=shown,
    record=lambda config: {"preset": config.name, "seeds": config.seeds},
    prepare=train_cells,
)
