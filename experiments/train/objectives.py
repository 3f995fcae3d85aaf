"""The ways to train a cell: `popjax train ID --regime NAME`, or `--as NAME`.

A regime is a function from a cell to a `Trainer`, and what it sets where the user is silent. One
line in `REGIMES` and every command knows it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from agents import lm, objectives, policy, ppo
from agents.agent import Agent
from agents.choices import sizes_of
from agents.evaluate import evaluate
from agents.held_out import held_out
from agents.language_agent import LanguageAgent
from agents.networks import LanguageModel
from agents.precision import products
from agents.sharding import episode_mesh, lane_mesh, over_lanes
from experiments.results.errors import UserError
from experiments.results.files import Table, stack_tables
from experiments.results.spec import CellSpec, Settings
from experiments.train.build import backbone_of, build
from popjax import make
from popjax.tokens import target_of
from popjax.words import nearest


@dataclass(frozen=True)
class Trainer:
    """How the seeds of one cell are trained and judged.

    init: `(key, hyperparams, num_updates) -> state`. segment: `(state, hyperparams, num_updates)
        -> (state, metrics)`, one row an update. Both are pure and of one seed; `state.params` are
        the parameters, and `metrics["loss"]` tells whether they are still numbers.
    evaluate: `(params, keys, seeds) -> Table` of the seeds, each leaf and the keys leading with
        `[seeds]` or more.
    headline: the metric that the progress bar shows.
    mesh: the devices that share each batch of episodes; None for one.
    lanes: the devices that the seeds are dealt out to; None for one.
    ahead: `(params, keys)`, shapes of them, compiles what `evaluate` will run.
    export: `(path, params, seeds)` writes the policies of all seeds for `agents.load`; None for
        what is no agent.
    """

    env: Any
    network: Any
    init: Callable[..., Any]
    segment: Callable[..., tuple[Any, dict[str, Any]]]
    evaluate: Callable[[Any, Any, Sequence[int]], Table]
    headline: str = "return"
    mesh: Mesh | None = None
    lanes: Mesh | None = None
    ahead: Callable[[Any, Any], Any] | None = None
    export: Callable[[Path, Any, tuple[int, ...]], None] | None = None


@dataclass(frozen=True)
class Training:
    """A way to train, and what it sets where the user is silent."""

    about: str
    trainer: Callable[[CellSpec], Trainer]
    total_steps: int = 2_000_000
    hyperparams: dict[str, float] = field(default_factory=dict)


def as_agent(spec: CellSpec) -> Trainer:
    """PPO on the rewards of the environment."""
    env, network = build(spec)
    init, segment = ppo.make_train(env, network, spec.settings.ppo)

    lanes = lane_mesh(len(spec.seeds))
    agent = Agent.of(env, network, spec.settings.ppo.inputs)
    returns, ahead = returns_of(spec, env, agent, lanes)

    def export(path, params, seeds):
        policy.save(path, agent, params, spec.env, seeds)

    return Trainer(env, network, init, segment, returns, lanes=lanes, ahead=ahead, export=export)


def as_language_model(spec: CellSpec) -> Trainer:
    """Cross-entropy on the next observation."""
    env, config = make(spec.env), spec.settings.lm
    sizes = target_of(env).sizes
    network = LanguageModel(backbone_of(spec), sizes, 0, spec.settings.network.head_features)
    mesh = episode_mesh(config.num_episodes)
    init, segment = lm.make_train(env, network, config, mesh)

    def nats(params, keys, seeds):
        return nats_table(spec, env, network, params, keys, seeds)

    return Trainer(env, network, init, segment, nats, "nats", mesh)


def as_rung(spec: CellSpec) -> Trainer:
    """One rung of `agents.objectives`: the same network learns from labels, verdicts or sums."""
    env, config, rung = make(spec.env), spec.settings.lm, objectives.OBJECTIVES[spec.regime]
    try:
        network = LanguageModel(
            backbone_of(spec),
            target_of(env).sizes,
            sum(sizes_of(env)),
            spec.settings.network.head_features,
        )
        init, segment = objectives.make_train(env, network, config, rung)
    except ValueError as error:
        raise UserError(str(error)) from None
    acts = rung.scored_head == "action" or "action" in rung.labels
    predicts = rung.scored_head == "token" or "token" in rung.labels
    lanes = lane_mesh(len(spec.seeds))
    agent = LanguageAgent.of(env, network, lm.inputs_of(env, config))
    returns, ahead = returns_of(spec, env, agent, lanes)

    def judged(params, keys, seeds):
        tables = []
        if acts:
            tables.append(returns(params, keys, seeds))
        if predicts:
            tables.append(nats_table(spec, env, network, params, keys, seeds))
        return side_by_side(tables)

    headline = "return" if rung.played_by == "policy" else "loss"
    ahead = ahead if acts else None
    return Trainer(env, network, init, segment, judged, headline, lanes=lanes, ahead=ahead)


FROM_HISTORIES = {"learning_rate": 4e-3, "max_grad_norm": 1.0}
OWN_HYPERPARAMS = {
    "log_likelihood": {"entropy": 1.0},  # with which the divergence from the oracle is minimised
    "rlhf": {"kl": 0.01},
}
REGIMES: dict[str, Training] = {
    "ppo": Training("PPO on the rewards", as_agent),
    "lm": Training(
        "cross-entropy on the next observation",
        as_language_model,
        total_steps=12_000_000,
        hyperparams=FROM_HISTORIES,
    ),
} | {
    name: Training(
        rung.about,
        as_rung,
        total_steps=4_000_000,
        hyperparams=FROM_HISTORIES | OWN_HYPERPARAMS.get(name, {}),
    )
    for name, rung in objectives.OBJECTIVES.items()
    if name != "next_obs"
}
OTHER_NAMES = {"next_obs": "lm"}


def regime_name(name: str) -> str:
    """The name of a regime; a UserError names the nearest one."""
    name = OTHER_NAMES.get(name, name)
    if name not in REGIMES:
        raise UserError(nearest(name, REGIMES, "regime"))
    return name


def with_objective_defaults(settings: Settings, regime: str) -> Settings:
    """The settings with what the regime sets where they are silent."""
    chosen = REGIMES[regime]
    total_steps = settings.total_steps or chosen.total_steps
    hyperparams = chosen.hyperparams | settings.hyperparams
    return dataclasses.replace(settings, total_steps=total_steps, hyperparams=hyperparams)


def returns_of(spec: CellSpec, env, agent: Agent, mesh: Mesh | None = None):
    """Two functions: `(params, keys, seeds) -> Table` of returns of whole episodes under the
    sampled and the greedy policy, on the same keys; and one that compiles the first ahead."""

    def one(params, key):
        def under(greedy):
            episodes = spec.settings.eval_episodes
            with products(spec.settings.ppo.precision):
                return evaluate(env, agent, params, key, episodes, greedy)

        return jax.lax.map(under, jnp.array([False, True]))

    both = jax.jit(over_lanes(mesh, one))

    def table(params, keys, seeds) -> Table:
        returns = np.asarray(both(params, keys), np.float64)[: len(seeds)]
        policy, lane, episode = np.indices((2, len(seeds), returns.shape[-1]))
        return {
            "policy": np.array(["sampled", "greedy"])[policy.ravel()],
            "seed": np.array(seeds)[lane.ravel()],
            "episode": episode.ravel(),
            "return": returns.swapaxes(0, 1).ravel(),
        }

    return table, lambda params, keys: both.lower(params, keys).compile()


def nats_table(spec: CellSpec, env, network, params, keys, seeds) -> Table:
    """What held-out episodes cost the model and the true law, one line an episode: `nats` and
    `floor` are sums over its `tokens`, `correct` of them were the likeliest."""
    parts = []
    for lane, seed in enumerate(seeds):
        own = jax.tree.map(lambda leaf, lane=lane: leaf[lane], params)
        sums = held_out(
            env, network, own, keys[lane], spec.settings.lm, spec.settings.eval_episodes
        )
        count = len(sums["nats"])
        parts.append({"seed": np.full(count, seed), "episode": np.arange(count), **sums})
    return stack_tables(parts)


def side_by_side(tables: list[Table]) -> Table:
    """One table with the lines of all; what a line says nothing of is "" or not-a-number."""
    names = list(dict.fromkeys(name for table in tables for name in table))

    def column(name, table):
        if name in table:
            return table[name]
        return np.full(len(table["seed"]), "" if name == "policy" else np.nan)

    return {name: np.concatenate([column(name, table) for table in tables]) for name in names}
