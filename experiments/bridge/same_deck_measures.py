"""What is measured of the networks of `experiments.bridge.same_deck`, one table a measurement.

All networks of a task see the same decks, which none has learned from. Tables have one row a
number: who was measured, and what came out. Exchanges between networks have a file of their own.
"""

from __future__ import annotations

from functools import cached_property, partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.lm import reading
from experiments.bridge import beliefs, controls, edits, forgetting, similarity
from experiments.bridge.overlap import deck_of
from experiments.bridge.probes import probe
from experiments.bridge.same_deck import AGENTS, KINDS, UNTRAINED, Cell, Setup
from experiments.results import Table
from popjax.floors import log_probs_along, make_law
from popjax.players import make_player, play
from popjax.tokens import target_of

ALL = (*KINDS, UNTRAINED)
STATISTICS = ("rl", "lm")
PRIMARY, FEW = ("CKA", "Procrustes"), 256
SAYS = {"LM": "token"} | dict.fromkeys(AGENTS, "action")


class Networks:
    """The networks of one task, the decks they are asked about, and their states after each card.

    cards: `[T, N, decks]`. params: of each kind, `[seeds, ...]`. states: of each kind `[seeds, T,
    N, d]`, what the heads read.
    """

    def __init__(self, setup: Setup, task: str, folder: Path):
        self.setup, self.task, self.folder = setup, task, folder
        self.env, self.network = setup.env(task), setup.network(task)
        self.deck, self.times = deck_of(self.env), setup.times(task)
        self.middle = self.times[(len(self.times) - 1) // 2]
        self.episodes = play(
            self.env, make_player(self.env), jax.random.key(2**31 + 7), setup.num_decks
        )
        obs = np.asarray(self.episodes.obs)
        self.cards = obs.reshape(*obs.shape[:2], -1)
        self.x, self.start = reading(self.env, self.episodes, "obs")
        self.token = target_of(self.env).tokens(self.episodes)

    @cached_property
    def params(self) -> dict[str, Any]:
        return {
            kind: Cell(self.setup, *self.setup.cell(self.task, kind), self.folder).params()
            for kind in ALL
        }

    @cached_property
    def states(self) -> dict[str, np.ndarray]:
        along = partial(forgetting.features_along, self.network, x=self.x, start=self.start)
        run = jax.jit(jax.vmap(lambda params: along(params)))
        return {kind: np.asarray(run(params)) for kind, params in self.params.items()}

    @cached_property
    def tokens(self) -> np.ndarray:
        """`[T, N]` what is on the table, as one number."""
        sizes = (self.deck.num_kinds,) * self.deck.num_decks
        return np.ravel_multi_index(np.moveaxis(self.cards, -1, 0), sizes)

    @cached_property
    def answer(self) -> np.ndarray:
        """`[T, N]` the right action."""
        return np.asarray(self.env.action_space.to_number(self.episodes.action))

    @cached_property
    def law(self) -> np.ndarray:
        """`[T, N, K]` the exact law of the next token."""
        return np.exp(np.asarray(log_probs_along(make_law(self.env), self.episodes)[0]))

    def one(self, kind: str, seed: int) -> Any:
        """The parameters of one network."""
        return jax.tree.map(lambda leaf: leaf[seed], self.params[kind])

    def every(self, t: int) -> np.ndarray:
        """`[networks, N, d]` the states of all networks after card t."""
        return np.concatenate([self.states[kind][:, t] for kind in ALL])

    @property
    def names(self) -> dict[str, np.ndarray]:
        """The kind and seed of each network, in the order of `every`."""
        seeds = range(self.setup.seeds)
        return {
            "kind": np.repeat(ALL, self.setup.seeds),
            "seed": np.tile(np.array(seeds), len(ALL)),
        }


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Rows with the same names as columns."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def probed(nets: Networks) -> Table:
    """Nats that each network tells of each statistic, step by step."""
    tables = []
    for who in STATISTICS:
        size = beliefs.most_values(nets.env, who, nets.times)
        for t in nets.times:
            question = beliefs.question(nets.env, who, nets.cards, t, size)
            found = probe(nets.every(t), question)
            n = len(found.nats)
            tables.append(
                nets.names
                | {"who": np.full(n, who), "t": np.full(n, t)}
                | {"entropy": np.full(n, found.entropy), "told": found.information}
            )
    return joined(tables)


def controlled(nets: Networks) -> Table:
    """In the middle of the episode: what is told by the last cards alone, of a control task, of
    shuffled labels, and the length of the description; nats a row."""
    t, rows = nets.middle, []
    kept = np.stack([nets.tokens[0], np.full(nets.setup.num_decks, t % 7)], axis=1)

    def note(control, who, told, known):
        for kind, seed, nats in zip(*nets.names.values(), told, strict=True):
            rows.append(
                {"control": control, "who": who, "kind": kind, "seed": seed}
                | {"told": float(nats), "entropy": float(known)}
            )

    for who in STATISTICS:
        question = beliefs.question(nets.env, who, nets.cards, t)
        known = question.known.mean()
        states = nets.every(t)
        nats = controls.description(states, question)
        note("description", who, known - nats, known)
        shuffled = controls.shuffled(question, nets.tokens[t])
        note("shuffled", who, probe(states, shuffled).information, known)
        by_rote = controls.hashed(kept, min(16, question.target.shape[1]))
        note("control task", who, probe(states, by_rote).information, by_rote.known.mean())
        for m in (1, 2, 4, 8):
            words = controls.last_cards(nets.cards, t, m, nets.deck.num_kinds)
            told = probe(words[None], question).information[0]
            row = {"control": f"last {m}", "who": who, "kind": "no network", "seed": 0}
            rows.append(row | {"told": float(told), "entropy": float(known)})
    return table_of(rows)


def alike(nets: Networks) -> Table:
    """How alike all pairs of networks are: both primary measures in three versions, the others of
    residual states on fewer rows. One random step of each deck."""
    draw, setup = np.random.default_rng(0), nets.setup
    row = np.arange(min(setup.rows, setup.num_decks))
    t = draw.choice(np.arange(nets.times[0], nets.times[-1] + 1), size=len(row))
    token = nets.tokens[t, row]
    history = np.where(np.arange(len(nets.tokens))[:, None] <= t, nets.tokens[:, row], -1)
    few = similarity.distinct(history.T)[:FEW]
    raw = [states[seed][t, row] for states in nets.states.values() for seed in range(setup.seeds)]
    left = [similarity.residual(states, t, token) for states in raw]
    fixed = [
        [
            similarity.residual(states[seed][time], nets.tokens[time])
            for states in nets.states.values()
            for seed in range(setup.seeds)
        ]
        for time in nets.times
    ]
    tables = []
    for name, measure in similarity.MEASURES.items():
        versions = {"residual": left, "raw": raw}
        if name not in PRIMARY:
            versions = {"residual": [states[few] for states in left]}
        found = {key: similarity.matrix(measure, states) for key, states in versions.items()}
        if name in PRIMARY:
            found["fixed"] = np.mean([similarity.matrix(measure, at) for at in fixed], axis=0)
        for version, matrix in found.items():
            i, j = (place.reshape(-1) for place in np.indices(matrix.shape))
            labels = {"measure": name, "version": version}
            columns = {key: np.full(len(i), label) for key, label in labels.items()}
            tables.append(columns | {"value": matrix.reshape(-1), "i": i, "j": j})
    return joined(tables)


def joined(tables: list[Table]) -> Table:
    """One below the other."""
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def retained(nets: Networks) -> Table:
    """Nats that each network's state late in the episode tells of each earlier card."""
    t = nets.times[-2]
    earlier = nets.cards[t::-1, :, 0].T
    kept = forgetting.retention(nets.every(t), earlier, nets.deck.num_kinds)
    lags = np.arange(earlier.shape[1])
    return {name: np.repeat(column, len(lags)) for name, column in nets.names.items()} | {
        "t": np.full(kept.size, t),
        "lag": np.tile(lags, len(kept)),
        "told": kept.reshape(-1),
    }


def ordered(nets: Networks) -> Table:
    """Total variation that swaps and replacements make in what each network says, and the exact
    rules of both costumes, as the mean over lags; the order index of each."""
    each, kinds, t = nets.deck.each, nets.deck.num_kinds, nets.middle
    histories = edits.deal_histories(
        jax.random.key(2**31 + 8), t + 1, nets.setup.edits, each, kinds
    )
    first = nets.deck.listed == "first"
    rule = edits.card_before(-1 if first else nets.env.k - 1, kinds)
    exact = {"counter": edits.next_card(each, kinds), "register": rule}

    def found(answer):
        return edits.effects(answer, histories, jax.random.key(1), each, kinds)

    rows = []

    def note(kind, seed, effects):
        swap, replace = float(effects.swap.mean()), float(effects.replace.mean())
        index = float(effects.order_index)
        row = {"kind": kind, "seed": seed, "swap": swap, "replace": replace}
        rows.append(row | {"order_index": index})

    for kind, answer in exact.items():
        note(kind, 0, jax.jit(lambda answer=answer: found(answer))())
    for says in ("token", "action"):

        @jax.jit
        def run(params, says=says):
            return found(edits.network_answer(nets.env, nets.network, params, says))

        for kind in (*(k for k in KINDS if SAYS[k] == says), UNTRAINED):
            name = f"{kind} {says}" if kind == UNTRAINED else kind
            for seed in range(nets.setup.seeds):
                note(name, seed, run(nets.one(kind, seed)))
    return table_of(rows)
