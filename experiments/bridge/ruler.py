"""The ruler: calibrates probes on a statistic planted at a known share of a state's variance.

A register (the first card) and a counter (the counts of the earlier cards of RepeatFirst's deck)
are written into states of 64 units, in a random basis, at 100, 10, 1 and 0.1 % of the variance; the
rest is independent noise in other directions. A linear probe decodes them through noise of 0, 0.1
and 0.3 of a unit's standard deviation. Without noise it decodes all of them at every share, so it
cannot separate a state's main content from incidental traces. Through noise the decoded nats fall
with the share, as the exact posterior of a Gaussian channel predicts.

Example: popjax bridge ruler
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import numpy as np
from matplotlib.figure import Figure

from experiments.bridge.findings import Finding
from experiments.bridge.measures import beliefs, planted
from experiments.bridge.measures.held import (
    NOISES,
    gaussian_channel,
    network_reading,
    variance_share,
)
from experiments.bridge.measures.overlap import dealt, deck_of
from experiments.bridge.measures.probes import Question, probe
from experiments.bridge.measures.questions import counted
from experiments.bridge.page import Grid, Picture, Section, Shown
from experiments.bridge.study import Context, Stage, Study, Watch, record_of
from experiments.reports.style import DOTS, INK, furnish
from experiments.results.files import Table
from popjax import make
from popjax.players.base import random_player

PLANTED = {"register": "rl", "counter": "lm"}
ENV, STEP = "RepeatFirstEasy", 8
MOST_APART = 0.1


@dataclass(frozen=True)
class RulerConfig:
    """shares: of the variance. width: units per state. rows: states. repeats: random bases."""

    memory: str = "gru"
    seeds: int = 3
    shares: tuple[float, ...] = (1.0, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
    width: int = 64
    rows: int = 4000


PRESETS = {
    "mini": RulerConfig(),
    "smoke": RulerConfig(seeds=1, shares=(1.0, 0.01), rows=300),
}


def run_planted(context: Context, name: str, watch: Watch) -> Table:
    """Decoded and available nats at each share and noise; one row per share, noise and basis."""
    config: RulerConfig = context.config
    env, who = make(ENV), PLANTED[name]
    cards = dealt(env, random_player(env), jax.random.key(3), config.rows)
    words = planted.states(env, who, cards, STEP)
    words = words[:, : -1 - deck_of(env).num_kinds]  # without the current card and the clock
    parts = asked(env, who, cards)
    token = cards[STEP, :, 0]
    known = sum(part.known.mean() for part in parts)
    lines = []
    for seed in watch(range(config.seeds)):
        states = np.stack([planted.at_share(words, s, config.width, seed) for s in config.shares])
        variance = variance_share(states, beside(parts), token)
        for noise in NOISES:
            linear = sum(probe(states, part, noise=noise).information for part in parts)
            network = sum(network_reading(states, part, noise) for part in parts)
            for i, share in enumerate(config.shares):
                lines.append((seed, share, noise, linear[i], network[i], variance[i], known))
    names = ("seed", "share", "noise", "linear", "network", "variance", "known")
    return dict(zip(names, map(np.array, zip(*lines, strict=True)), strict=True))


def asked(env, who, cards) -> list[Question]:
    if who == "rl":
        return [beliefs.question(env, who, cards, STEP)]
    return counted(deck_of(env), cards, STEP)


def beside(parts: list[Question]) -> Question:
    """The features of several questions, concatenated."""
    words = np.concatenate([part.target @ part.parts for part in parts], axis=1)
    return Question(words, np.zeros_like(words), np.eye(words.shape[1]))


def channel(config: RulerConfig, share: float, noise: float) -> float:
    """The most the register can hold: nats of one of four cards through this noise."""
    return gaussian_channel(4, share * config.width, max(noise, 1e-4) ** 2)


def by_share(table: Table, column: str, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """The shares, and the mean over bases of a column as a share of the available nats."""
    shares = np.unique(table["share"])
    here = table["noise"] == noise
    means = [table[column][here & (table["share"] == s)].mean() for s in shares]
    return shares, np.array(means) / table["known"][0]


def findings(tables: dict[str, Table], config: RulerConfig) -> list[Finding]:
    register = tables["register"]
    known = register["known"][0]
    apart = max(
        abs(by_share(register, "linear", noise)[1][i] - channel(config, share, noise) / np.log(4))
        for noise in NOISES
        for i, share in enumerate(np.unique(register["share"]))
    )
    blind = min(by_share(table, "linear", 0.0)[1].min() for table in tables.values())
    faint = max(by_share(table, "linear", NOISES[-1])[1][0] for table in tables.values())
    return [
        Finding(
            "K1",
            "through noise a register is decoded as its share of the variance predicts, within "
            f"{MOST_APART} of the available nats",
            f"at most {apart:.2f} from the exact posterior, of {known:.2f} nats",
            "holds" if apart <= MOST_APART else "fails",
            primary=True,
        ),
        Finding(
            "K2",
            "without noise the decoded nats do not depend on the share",
            f"at least {blind:.2f} of the available nats at every share; through noise of "
            f"{NOISES[-1]:g} at most {faint:.2f} at the smallest",
            "holds" if blind > 0.85 and faint < 0.5 else "fails",
        ),
    ]


def shown(context: Context, preset: str) -> Shown:
    tables, config = context.tables["planted"], context.config
    found, figure, grid = findings(tables, config), draw(tables, config), table_of(tables)
    picture = Picture(figure, "Share decoded of planted statistics against their share of variance")
    return Shown(
        "ruler",
        "The ruler",
        f"A planted statistic is decoded as its share of variance predicts: {found[0].outcome}; "
        f"{found[0].found}.",
        found,
        [grid],
        [Section("Planted statistics", "", [picture, grid])],
        figure,
        110,
        {"preset": preset, **record_of(config)},
    )


def table_of(tables: dict[str, Table]) -> Grid:
    rows = []
    for name, table in tables.items():
        for share in np.unique(table["share"])[::-1]:
            row = [f"{name}, {100 * share:g} %"]
            at = list(np.unique(table["share"])).index(share)
            row.append(f"{100 * table['variance'][table['share'] == share].mean():.1f} %")
            for column in ("linear", "network"):
                row += [f"{by_share(table, column, noise)[1][at]:.2f}" for noise in NOISES]
            rows.append(row)
    return Grid(
        "share decoded of planted statistics",
        (
            "planted, at",
            "variance found",
            *(f"{kind}, noise {noise:g}" for kind in ("probe", "network") for noise in NOISES),
        ),
        rows,
        "Share of the available nats, mean over bases; network: one hidden layer of 64.",
    )


COLOURS = dict(zip(NOISES, ("#a3a3a3", "#0f766e", "#c2410c"), strict=True))


def draw(tables: dict[str, Table], config: RulerConfig) -> Figure:
    figure = Figure(figsize=(8.2, 3.3), layout="constrained")
    for panel, (name, table) in zip(
        figure.subplots(1, 2, sharey=True), tables.items(), strict=True
    ):
        for noise in NOISES:
            shares, read = by_share(table, "linear", noise)
            panel.plot(100 * shares, read, "o-", color=COLOURS[noise], markersize=4, linewidth=1.3,
                       label=f"noise {noise:g}")  # fmt: skip
            if name == "register":
                held = [channel(config, share, noise) / np.log(4) for share in shares]
                panel.plot(100 * shares, held, **DOTS)
        panel.set_xscale("log")
        panel.set_xlabel("share of the state's variance, %", fontsize=9, color=INK)
        panel.set_title(f"planted {name}", loc="left", fontsize=10, color=INK)
        furnish(panel)
    figure.axes[0].set_ylabel("share of available nats decoded", fontsize=9, color=INK)
    figure.axes[1].legend(fontsize=8, frameon=False, loc="lower right")
    return figure


STUDY = Study(
    name="ruler",
    presets=PRESETS,
    stages=[
        Stage(
            "planted",
            conditions=lambda config: {name: name for name in PLANTED},
            title=str,
            run=run_planted,
        )
    ],
    shown=shown,
)
