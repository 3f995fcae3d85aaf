"""Compares any two trained networks of one environment: how similar their states are.

Both read the same histories of a mixture of players, each in its own input format. One random step
of each history is compared. Reported beside the similarity measures: the share of the hidden state
decoded linearly from each; where known, the nats each holds of what acting and predicting require;
and how much of one network's state a linear map or a rotation recovers from the other's.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.lm import episode_inputs
from experiments.bridge.measures import beliefs, similarity
from experiments.bridge.measures.competence import Skill, skill_of_agent, skill_of_model
from experiments.bridge.measures.interventions import explained, ridge, rotation, through
from experiments.bridge.measures.nulls import compare, ns_in_words
from experiments.bridge.measures.overlap import STATISTICS
from experiments.bridge.measures.probes import probe
from experiments.bridge.measures.retention import features_along
from experiments.bridge.page import Grid
from experiments.results.errors import UserError
from experiments.results.store import Cell
from experiments.results.study import read_spec
from experiments.train.objectives import REGIMES
from experiments.train.restore import initial_states, inputs_read, trained_states
from popjax.players import Episodes, play
from popjax.tokens.corpora import in_parts, players_of

MOST_TOKENS, MOST_VALUES = 64, 800
STYLES = ("residual", "cells")
TOO_MANY = ("Autoencode", "HigherLower")
"""Lists of all cards, and counts of 13 ranks, are too many to tabulate."""


@dataclass(frozen=True)
class Run:
    """The networks of one cell of a study, in its folder."""

    folder: Path

    @cached_property
    def spec(self):
        return read_spec(self.folder)

    @property
    def name(self) -> str:
        return f"{self.spec.memory}, {self.spec.regime}"

    @cached_property
    def trainer(self):
        return REGIMES[self.spec.regime].trainer(self.spec)

    @cached_property
    def begun(self) -> Any:
        """The state of every seed before its first update."""
        return initial_states(self.spec, self.trainer)

    @cached_property
    def trained(self) -> Any:
        """The latest saved parameters of every seed."""
        return trained_states(self.spec, self.trainer, self.folder).params

    def states(self, params: Any, episodes: Episodes) -> np.ndarray:
        """`[seeds, T, N, d]` the features that the heads read on the histories."""
        x, start = episode_inputs(self.trainer.env, episodes, inputs_read(self.spec, self.trainer))
        along = partial(features_along, self.trainer.network, x=x, start=start)
        states = np.asarray(jax.jit(jax.vmap(lambda params: along(params)))(params))
        return states.reshape(*states.shape[:3], -1)  # those of all cells side by side

    @cached_property
    def skill(self) -> Skill:
        """How good the networks are, against the gate; a mean over their seeds."""
        _, evaluation, _ = Cell(self.folder.parent, self.spec).read()
        if "return" in evaluation:
            sampled = evaluation["policy"] == "sampled"
            return skill_of_agent(self.spec.env, float(evaluation["return"][sampled].mean()))
        nats = evaluation["nats"].sum() / evaluation["tokens"].sum()
        return skill_of_model(self.spec.env, float(nats))


def histories(env: Any, num_episodes: int, seed: int) -> Episodes:
    """Whole episodes of a mixture of players, with their hidden states."""
    player = partial(play, env, keep_states=True)
    return in_parts(players_of(env, "mixture"), jax.random.key(seed), num_episodes, player)


class Pair:
    """Two runs, the histories they read, and one random step of each."""

    def __init__(self, a: Path, b: Path, num_episodes: int = 2048, seed: int = 0):
        self.runs = (Run(a), Run(b))
        ids = [run.spec.env for run in self.runs]
        if ids[0] != ids[1]:
            raise UserError(f"both runs must be of one environment, not {ids[0]} and {ids[1]}")
        for run in self.runs:
            if run.spec.settings.network.style not in STYLES:
                known = " or ".join(STYLES)
                raise UserError(f"{run.folder} has another kind of network than --style {known}")
        self.env = self.runs[0].trainer.env
        self.episodes = histories(self.env, num_episodes, seed)
        length = np.asarray(self.episodes.lengths)
        self.t = (np.random.default_rng(seed).random(num_episodes) * length).astype(int)
        self.rows = np.arange(num_episodes)

    @cached_property
    def kinds(self) -> dict[str, np.ndarray]:
        """`[seeds, T, N, d]` of both runs, and of both before their first update."""
        a, b = self.runs
        found = {"A": a.states(a.trained, self.episodes), "B": b.states(b.trained, self.episodes)}
        for name, run in zip("AB", self.runs, strict=True):
            found[f"{name}, untrained"] = run.states(run.begun.params, self.episodes)
        return found

    @property
    def given(self) -> list[np.ndarray]:
        """What both know in any case: the clock, and the observation if it takes few values."""
        obs = np.asarray(self.episodes.obs)[self.t, self.rows].reshape(len(self.rows), -1)
        label = np.unique(obs, axis=0, return_inverse=True)[1].reshape(-1)
        return [self.t, label] if label.max() < MOST_TOKENS else [self.t]

    @cached_property
    def networks(self) -> list[np.ndarray]:
        """`[N, d]` states of all networks, kind by kind."""
        return [one[self.t, self.rows] for states in self.kinds.values() for one in states]

    @cached_property
    def places(self) -> dict[str, range]:
        """The indices of each kind in the list."""
        ends = np.cumsum([0] + [len(states) for states in self.kinds.values()])
        return {k: range(ends[i], ends[i + 1]) for i, k in enumerate(self.kinds)}

    def competence(self) -> Grid:
        """Both against the gate: memories are compared where they are used."""
        rows = [
            (f"{name}: {run.name}", run.skill.words, run.skill.outcome)
            for name, run in zip("AB", self.runs, strict=True)
        ]
        return Grid(
            "are they good enough to be compared?",
            ["run", "mean over its seeds", "gate"],
            rows,
            "What is below the gate is shown, and says little of memory.",
        )

    def likeness(self) -> Grid:
        """Similarity by all measures that allow networks of different widths."""
        residual = [similarity.residual(s, *self.given) for s in self.networks]
        few = np.random.default_rng(1).permutation(len(self.rows))[:512]
        untrained = [i for name, at in self.places.items() if "untrained" in name for i in at]
        began_alike = self.began_alike()
        rows = []
        for name, measure in similarity.MEASURES.items():
            primary = name in ("CKA", "Procrustes")
            for version, states in (("residual", residual), ("raw", self.networks)):
                used = states if primary else [s[few] for s in states]
                matrix = similarity.matrix(measure, used)
                matrix[began_alike] = np.nan
                found = compare(matrix, self.places["A"], self.places["B"], untrained)
                likeness = [f"{x:.2f}" for x in found.likeness[:3]]
                rows.append([name, version, *likeness, ns_in_words(found), found.verdict])
        return Grid(
            "similarity of A and B",
            ["measure", "states", "A with B", "null", "ceiling", "NS [95 %]", "verdict"],
            rows,
            "null: with untrained networks. ceiling: of two seeds of one run (unknown with one "
            "seed). residual: given the clock and the obs. Networks with the same init are no "
            "pair.",
        )

    def began_alike(self) -> np.ndarray:
        """`[networks, networks]` bool: different networks with the same initial weights."""
        first = [one[0, 0] for states in list(self.kinds.values())[2:] for one in states] * 2
        same = np.array([[x.shape == y.shape and (x == y).all() for y in first] for x in first])
        return same & ~np.eye(len(first), dtype=bool)

    def held(self) -> Grid:
        """What the states of each kind hold."""
        markov = jax.vmap(jax.vmap(self.env.markov_state))(self.episodes.state)
        hidden = np.float64(np.asarray(markov)[self.t, self.rows])
        hidden = similarity.residual(hidden, *self.given)
        decode = {
            "hidden state": lambda states: [read_linearly(s, hidden) for s in self.at(states)]
        }
        for who, what in zip(("rl", "lm"), STATISTICS.get(self.env.name, ()), strict=False):
            if (question := self.question(who)) is not None:
                t, q = question
                decode[f"{what} after {t + 1} cards"] = partial(share_held, q, t)
        rows = []
        for name, ask in decode.items():
            shares = [np.array(ask(states)) for states in self.kinds.values()]
            rows.append([name, *(f"{x.mean():.2f}" for x in shares)])
        return Grid(
            "share decoded linearly, beyond the clock and the observation",
            ["of", *self.kinds],
            rows,
            "of the variance of the hidden state; of the nats that acting and predicting require.",
        )

    def at(self, states: np.ndarray) -> list[np.ndarray]:
        return [similarity.residual(one[self.t, self.rows], *self.given) for one in states]

    def question(self, who: beliefs.Who):
        """The questions early in the episode, if their tables are small enough."""
        t = min(8, self.env.max_steps // 2)
        if self.env.name in TOO_MANY or beliefs.most_values(self.env, who, (t,)) > MOST_VALUES:
            return None
        obs = np.asarray(self.episodes.obs)
        return t, beliefs.question(self.env, who, obs.reshape(*obs.shape[:2], -1), t)

    def translated(self) -> Grid:
        """How much of one network's state a map recovers from another's."""
        residual = [similarity.residual(s, *self.given) for s in self.networks]
        half, rows = len(self.rows) // 2, []
        pairs = {"A to B": ("A", "B"), "B to A": ("B", "A"), "A to another A": ("A", "A"),
                 "B to another B": ("B", "B"), "A, untrained, to B": ("A, untrained", "B"),
                 "B, untrained, to A": ("B, untrained", "A")}  # fmt: skip
        for name, (one, other) in pairs.items():
            row = [name]
            for fit in (ridge, rotation):
                found = []
                for i, j in zip(self.places[one], np.roll(self.places[other], -1), strict=False):
                    x, y = residual[i], residual[j]
                    if i != j and (fit is ridge or x.shape == y.shape):
                        weights = fit(x[:half], y[:half])
                        found.append(explained(y[half:], through(weights, x[half:])))
                row.append(f"{np.mean(found):.2f}" if found else "")
            rows.append(row)
        return Grid(
            "share of a state's variance that a map from another state explains",
            ["from", "any linear", "rotation only"],
            rows,
            "fitted on one half of the histories and evaluated on the other; residual states.",
        )


def read_linearly(states: np.ndarray, target: np.ndarray) -> float:
    """Explained variance of the target on the held-out half of the rows."""
    half = len(states) // 2
    return explained(target[half:], through(ridge(states[:half], target[:half]), states[half:]))


def share_held(question, t: int, states: np.ndarray) -> np.ndarray:
    return probe(states[:, t], question).share
