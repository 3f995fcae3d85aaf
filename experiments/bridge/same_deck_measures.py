"""What is measured of the networks of `experiments.bridge.same_deck`, one table a measurement.

All networks of a task see the same histories, which none has learned from. Tables have one row a
number: who was measured, and what came out. Exchanges between networks have a file of their own,
and so has what came later (`same_deck_more`).
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from experiments.bridge import beliefs, controls, edits, forgetting, similarity
from experiments.bridge.probes import probe
from experiments.bridge.same_deck import UNTRAINED
from experiments.bridge.same_deck_networks import HEAD, Networks
from experiments.bridge.same_deck_questions import in_one
from experiments.results import Table

STATISTICS = ("rl", "lm")
PRIMARY, FEW = ("CKA", "Procrustes"), 256


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Rows with the same names as columns."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def probed(nets: Networks) -> Table:
    """Nats that each network tells of each statistic, step by step."""
    tables = []
    for who in STATISTICS:
        whole = in_one(nets.env, who)
        size = beliefs.most_values(nets.env, who, nets.times) if whole else 0
        for t in nets.times:
            found = [probe(nets.every(t), part) for part in nets.ask(who, t, size)]
            n = len(found[0].nats)
            tables.append(
                nets.names
                | {"who": np.full(n, who), "t": np.full(n, t)}
                | {"entropy": np.full(n, sum(one.entropy for one in found))}
                | {"told": sum(one.information for one in found)}
            )
    return joined(tables)


def controlled(nets: Networks) -> Table:
    """In the middle of the episode: what is told by the last cards alone, of a control task, of
    shuffled labels, and the length of the description; nats a row."""
    t, rows = nets.middle, []
    kept = np.stack([nets.tokens[0], np.full(nets.number, t % 7)], axis=1)

    def note(control, who, told, known):
        for kind, seed, nats in zip(*nets.names.values(), told, strict=True):
            rows.append(
                {"control": control, "who": who, "kind": kind, "seed": seed}
                | {"told": float(nats), "entropy": float(known)}
            )

    states = nets.every(t)
    for who in STATISTICS:
        asked = nets.ask(who, t)
        known = sum(part.known.mean() for part in asked)
        nats = sum(controls.description(states, part) for part in asked)
        note("description", who, known - nats, known)
        others = [controls.shuffled(part, nets.tokens[t]) for part in asked]
        note("shuffled", who, sum(probe(states, part).information for part in others), known)
        by_rote = controls.hashed(kept, min(16, asked[0].target.shape[1]))
        note("control task", who, probe(states, by_rote).information, by_rote.known.mean())
        for m in (1, 2, 4, 8):
            words = last_inputs(nets, t, m)
            told = sum(probe(words[None], part).information[0] for part in asked)
            row = {"control": f"last {m}", "who": who, "kind": "no network", "seed": 0}
            rows.append(row | {"told": float(told), "entropy": float(known)})
    return table_of(rows)


def last_inputs(nets: Networks, t: int, m: int) -> np.ndarray:
    """`[N, d]` the last m inputs themselves: cards, or whatever is read."""
    if nets.dealt:
        return controls.last_cards(nets.cards, t, m, nets.deck.num_kinds)
    seen = np.asarray(nets.x[max(0, t + 1 - m) : t + 1])
    return seen.swapaxes(0, 1).reshape(nets.number, -1)


def alike(nets: Networks) -> Table:
    """How alike all pairs of networks are: both primary measures in three versions, the others of
    residual states on fewer rows. One random step of each deck."""
    draw, setup = np.random.default_rng(0), nets.setup
    row = np.arange(min(setup.rows, nets.number))
    steps = [step for step in nets.steps if nets.times[0] <= step <= nets.times[-1]]
    t = draw.choice(np.array(steps), size=len(row))
    place = np.searchsorted(nets.steps, t)
    token = nets.tokens[t, row]
    history = np.where(np.arange(len(nets.tokens))[:, None] <= t, nets.tokens[:, row], -1)
    few = similarity.distinct(history.T)[:FEW]
    raw = [
        states[seed][place, row] for states in nets.states.values() for seed in range(setup.seeds)
    ]
    left = [similarity.residual(states, t, token) for states in raw]
    fixed = [
        [
            similarity.residual(states, nets.tokens[time])
            for kind in setup.all
            for states in nets.at(kind, time)
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
    exact = {"counter": edits.next_card(each, kinds)}
    if nets.deck.listed:  # else acting takes counts as well
        lag = -1 if nets.deck.listed == "first" else nets.env.k - 1
        exact["register"] = edits.card_before(lag, kinds)

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

        for kind in (*(k for k in nets.setup.kinds if HEAD[k] == says), UNTRAINED):
            name = f"{kind} {says}" if kind == UNTRAINED else kind
            for seed in range(nets.setup.seeds):
                note(name, seed, run(nets.one(kind, seed)))
    return table_of(rows)
