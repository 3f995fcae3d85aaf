"""The price of a verdict: how far does supervision alone explain the gap between the costumes?

The same network plays the same histories, its own, on decks of 16 cards with K suits, and is told
of each step the right action (R2), or whether its own was right, weighted so that the expected
gradient is the label's (R3a), or plainly (R3b), or at the end of the episode how often it was (R5).
At two sizes of the batch: a small one, where noise may rule, and a large one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import track

from agents.hyperparams import Hyperparams
from agents.lm import LMConfig, reading
from agents.memory import MEMORIES
from agents.networks import Backbone, LanguageModel
from agents.regimes import REGIMES, Regime
from agents.regimes.choices import log_probs, of, sizes_of
from agents.regimes.data import own_labels
from experiments.bridge.decks import ManySuits, rememberer
from experiments.bridge.store import tables_of
from experiments.bridge.told import AXES, make_advance, make_told
from experiments.bridge.verdict_gradients import NAMES, make_measure
from experiments.errors import UserError, positive
from experiments.results import Table, open_study
from experiments.specs import memory_name
from experiments.train import lane_keys
from popjax.players import play
from popjax.words import nearest

RUNGS = {
    "label": "dagger",
    "unbiased verdict": "bandit_ce",
    "verdict": "bandit",
    "sum": "sum_to_end",
}
ENOUGH = 0.97  # of the probability of the right action: a part whose seeds all have it is over
Curves = dict[str, np.ndarray]  # [seeds, looks] each


class Part(NamedTuple):
    """One way to be told, of so many suits, in batches of so many episodes."""

    suits: int
    told: str
    batch: int


@dataclass(frozen=True)
class Setup:
    """All that decides the result.

    batches: episodes of an update. updates: how many at most, for each of them.
    suits_of_all_batches: other batches than the largest are made with these.
    num_looks: how often the learner is examined, at equal ratios of updates, on `num_decks` decks
    that it does not read, and its gradients on `num_gradients` episodes.
    """

    memory: str = "gru"
    seeds: int = 5
    suits: tuple[int, ...] = (2, 4, 8)
    cards: int = 16
    k: int = 3
    features: int = 48
    head_features: int = 32
    batches: tuple[int, ...] = (64, 16)
    updates: tuple[int, ...] = (600, 1200)
    suits_of_all_batches: tuple[int, ...] = (4,)
    num_looks: int = 30
    num_decks: int = 256
    num_gradients: int = 32
    learning_rate: float = 1e-3

    def env(self, suits: int) -> ManySuits:
        return ManySuits(suits=suits, cards_of_a_suit=self.cards // suits, k=self.k)

    def network(self, suits: int) -> LanguageModel:
        backbone = Backbone((MEMORIES[self.memory](features=self.features),))
        return LanguageModel(backbone, (suits,), suits, self.head_features)

    @property
    def parts(self) -> list[Part]:
        return [
            Part(k, told, b)
            for b in self.batches
            for k in (self.suits if b == max(self.batches) else self.suits_of_all_batches)
            for told in RUNGS
        ]

    def looks(self, batch: int) -> list[int]:
        """After how many updates the learner is examined."""
        longest = self.updates[self.batches.index(batch)]
        later = np.geomspace(1, longest, self.num_looks).round().astype(int)
        return [0, *np.unique(later).tolist()]


PRESETS = {
    "mini": Setup(),
    "gpu": Setup(
        seeds=10,
        suits=(2, 4, 8, 16),
        cards=32,
        k=4,
        features=128,
        head_features=128,
        batches=(4096, 256, 16),
        updates=(2000, 6000, 20000),
        suits_of_all_batches=(2, 4, 8, 16),
    ),
    "smoke": Setup(
        suits=(2, 4),
        features=8,
        head_features=8,
        batches=(8, 4),
        updates=(4, 8),
        suits_of_all_batches=(2,),
        num_looks=3,
        num_decks=16,
        num_gradients=8,
    ),
}


def rung(told: str) -> Regime:
    """Of the ladder, without a critic, which would partly share a sum out among the steps."""
    regime = REGIMES[RUNGS[told]]
    return replace(regime, baseline="constant") if regime.baseline == "value" else regime


ALL = {told: rung(told) for told in RUNGS}


class Programs(NamedTuple):
    """What is compiled once for all rungs. begin: `keys -> states`. advance: see `make_advance`.
    examine: `params -> [seeds]` the probability of the right action on decks that are not read."""

    begin: Callable[..., Any]
    advance: Callable[..., Any]
    examine: Callable[..., Any]


@cache
def measure_of(setup: Setup, suits: int) -> Callable[..., Any]:
    """What the gradients of any rung are like at the parameters of all seeds."""
    env = setup.env(suits)
    one = make_measure(env, setup.network(suits), ALL, rememberer(env), setup.num_gradients)
    return jax.jit(jax.vmap(one, in_axes=(0, 0, None)))


@cache
def programs_of(setup: Setup, suits: int, batch: int) -> Programs:
    """For so many suits and so large batches."""
    env, network = setup.env(suits), setup.network(suits)
    oracle = rememberer(env)
    config = LMConfig(batch, previous_action="off", schedule="constant", warmup=0.0)
    init, step = make_told(env, network, config, ALL, oracle)
    hyperparams = Hyperparams(learning_rate=setup.learning_rate, max_grad_norm=1.0)
    decks = play(env, oracle, jax.random.key(2**31), setup.num_decks)
    x, start = reading(env, decks, "obs")
    label, judged = own_labels(env, decks)

    def examine(params):
        policy = network.apply(params, network.initial_carry(setup.num_decks), x, start)[2]
        right = jnp.exp(of(log_probs(sizes_of(env), policy), label))
        return jnp.mean(right, where=judged)

    longest = setup.looks(batch)[-1]
    return Programs(
        jax.jit(jax.vmap(lambda key: init(key, hyperparams, longest))),
        make_advance(step, hyperparams),
        jax.jit(jax.vmap(examine)),
    )


def run_part(setup: Setup, part: Part, watch: Callable[..., Iterable]) -> Table:
    """Trains all seeds side by side until all are done or time is over: one line a look and seed.

    right: the mean probability of the right action at the judged steps of the held-out decks.
    """
    clock = time.perf_counter()
    programs, measure = programs_of(setup, part.suits, part.batch), measure_of(setup, part.suits)
    told, seeds = list(ALL).index(part.told), np.arange(setup.seeds)
    state = programs.begin(lane_keys(tuple(range(setup.seeds)))[0])
    sums, rows = dict.fromkeys(AXES, 0.0), []
    for before, update in watch(list(pairwise([0, *setup.looks(part.batch)]))):
        state, news = programs.advance(state, told, 0.0, update - before)
        sums = {name: sums[name] + np.float64(news[name]) for name in AXES}
        right = np.float64(programs.examine(state.params))
        keys = jax.vmap(jax.random.fold_in)(state.key, -1 - state.update)
        found = measure(state.params, keys, told)
        rows.append(
            {
                "seed": seeds,
                "update": np.full(setup.seeds, update),
                "seconds": np.full(setup.seeds, time.perf_counter() - clock),
                "right": right,
                **sums,
                **{name: np.float64(found[name]) for name in NAMES},
            }
        )
        if (right > ENOUGH).all():
            break
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def verdict(
    out: Path, study: str, preset: str, memory: str, seeds: int | None, console: Console
) -> tuple[Path, Setup, dict[Part, Curves]]:
    """Trains the parts that are not there yet, one file each. The folder of the study, what was
    set, and the curves of all parts."""
    if preset not in PRESETS:
        raise UserError(nearest(preset, PRESETS, "preset"))
    setup = replace(PRESETS[preset], memory=memory_name(memory))
    if seeds is not None:
        positive("seeds", seeds)
        setup = replace(setup, seeds=seeds)
    settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(setup).items()}
    folder = open_study(out, study, {"kind": "verdict", **settings})
    names = {part: f"{part.suits}-{RUNGS[part.told]}-{part.batch}" for part in setup.parts}
    files = {part: folder / f"{name}.parquet" for part, name in names.items()}
    console.print(
        f"{len(files)} parts of {setup.seeds} seeds in {folder}: "
        f"{sum(file.exists() for file in files.values())} finished"
    )

    def make(part: Part, title: str) -> Table:
        shown = {"console": console, "disable": not console.is_terminal}
        return run_part(setup, part, partial(track, description=title, transient=True, **shown))

    def about(table: Table) -> str:
        return f"right {table['right'][-setup.seeds :].mean():.3f}, "

    titles = {p: f"{p.suits} suits by {p.told}, {p.batch} episodes a batch" for p in files}
    tables = tables_of(files, titles, make, console, about)
    curves = {
        part: {name: column.reshape(-1, setup.seeds).T for name, column in table.items()}
        for part, table in tables.items()
    }
    return folder, setup, curves
