"""Measurements of the networks of `experiments.bridge.same_deck.config`, one table each.

All networks of a task read the same held-out histories. Tables have one row per number: the
network, and the result. Exchanges between networks are in `exchanges`, histories
with equal next observations and different later ones in `futures`.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from agents.inputs import agent_input
from agents.language_agent import LanguageAgent
from agents.lm import episode_inputs
from agents.objectives.histories import by_agent, histories
from experiments.bridge.measures import beliefs, controls, edits, retention, similarity
from experiments.bridge.measures.interventions import explained, ridge, through
from experiments.bridge.measures.probes import probe
from experiments.bridge.measures.questions import in_one
from experiments.bridge.same_deck.config import UNTRAINED
from experiments.bridge.same_deck.networks import HEAD, Networks, tokens_of
from experiments.results.files import stack_tables
from experiments.results.store import Table

STATISTICS = ("rl", "lm")
PRIMARY, FEW = ("CKA", "Procrustes"), 256


def table_of(rows: list[dict[str, Any]]) -> Table:
    """Rows with the same names as columns."""
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def probed(nets: Networks) -> Table:
    """Nats that each network holds of each statistic, step by step, at each noise level."""
    tables = []
    for who in STATISTICS:
        whole = in_one(nets.env, who)
        size = beliefs.most_values(nets.env, who, nets.times) if whole else 0
        for t, noise in product(nets.times, nets.setup.noises):
            answers = [probe(nets.every(t), part, noise=noise) for part in nets.ask(who, t, size)]
            n = len(answers[0].nats)
            tables.append(
                nets.names
                | {"who": np.full(n, who), "t": np.full(n, t), "noise": np.full(n, noise)}
                | {"entropy": np.full(n, sum(one.entropy for one in answers))}
                | {"held": sum(one.information for one in answers)}
            )
    return stack_tables(tables)


def controlled(nets: Networks) -> Table:
    """In the middle of the episode: nats per row held by the last cards alone, of a control task,
    of shuffled labels, and the description length."""
    t, rows = nets.middle, []
    kept = np.stack([nets.tokens[0], np.full(nets.number, t % 7)], axis=1)

    def note(control, who, held, known):
        for kind, seed, nats in zip(*nets.names.values(), held, strict=True):
            rows.append(
                {"control": control, "who": who, "kind": kind, "seed": seed}
                | {"held": float(nats), "entropy": float(known)}
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
            held = sum(probe(words[None], part).information[0] for part in asked)
            row = {"control": f"last {m}", "who": who, "kind": "no network", "seed": 0}
            rows.append(row | {"held": float(held), "entropy": float(known)})
    return table_of(rows)


def last_inputs(nets: Networks, t: int, m: int) -> np.ndarray:
    """`[N, d]` the last m inputs."""
    if nets.dealt:
        return controls.last_cards(nets.cards, t, m, nets.deck.num_kinds)
    window = np.asarray(nets.x[max(0, t + 1 - m) : t + 1])
    return window.swapaxes(0, 1).reshape(nets.number, -1)


def alike(nets: Networks) -> Table:
    """Similarity of all pairs of networks: both primary measures in three versions, the others on
    fewer rows of residual states. One random step of each deck."""
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
    return stack_tables(tables)


def retained(nets: Networks) -> Table:
    """Nats that each network's state late in the episode holds of each earlier card."""
    t = nets.times[-2]
    earlier = nets.cards[t::-1, :, 0].T
    kept = retention.retention(nets.every(t), earlier, nets.deck.num_kinds)
    lags = np.arange(earlier.shape[1])
    return {name: np.repeat(column, len(lags)) for name, column in nets.names.items()} | {
        "t": np.full(kept.size, t),
        "lag": np.tile(lags, len(kept)),
        "held": kept.reshape(-1),
    }


def ordered(nets: Networks) -> Table:
    """Total variation that swaps and replacements cause in the outputs of each network and of the
    exact rules of both costumes, mean over lags; the order index of each."""
    each, kinds, t = nets.deck.each, nets.deck.num_kinds, nets.middle
    histories = edits.deal_histories(
        jax.random.key(2**31 + 8), t + 1, nets.setup.edits, each, kinds
    )
    exact = {"counter": edits.next_card(each, kinds)}
    if nets.deck.listed:  # else acting needs counts as well
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


SHOWN = 150
"""Points of a cloud of beliefs."""


def backwards(nets: Networks) -> Table:
    """CKA, residual given the current token, of each network's states after a history and after its
    reversal, at each probed step: another null for similarities, and high for a multiset memory."""
    rows, env = [], nets.env
    for t in nets.times:
        obs = jnp.asarray(nets.episodes.obs)[: t + 1][::-1]
        previous = jnp.roll(jnp.asarray(nets.episodes.action)[: t + 1], 1, axis=0)[::-1]
        start = nets.start[: t + 1]
        x = agent_input(env, obs, previous, start, nets.inputs)
        turned = nets.reads(x, start, (t,))
        for kind in nets.setup.all:
            for seed in range(nets.setup.seeds):
                onward = similarity.residual(nets.at(kind, t)[seed], nets.tokens[t])
                back = similarity.residual(turned[kind][seed, 0], nets.tokens[0])
                value = similarity.cka(onward, back)
                rows.append({"kind": kind, "seed": seed, "t": t, "value": float(value)})
    return table_of(rows)


def belief_of(nets: Networks, t: int) -> Float[np.ndarray, "N b"]:
    """The exact belief after step t: the next-token distribution, or the posterior means of a
    bandit's arms."""
    if nets.task != "MultiarmedBandit":
        return nets.law[t]
    action = np.asarray(nets.episodes.action)[:t]
    pulls = action[..., None] == np.arange(nets.env.num_arms)
    paid = np.asarray(nets.episodes.next_obs)[:t, :, None]
    return (1 + np.sum(pulls * paid, axis=0)) / (2 + pulls.sum(axis=0))


def shaped(nets: Networks) -> Table:
    """The share of the exact belief's variance that least squares decodes from states, over all
    probed steps, fitted on one half of the histories and evaluated on the other; and the same for
    beliefs of other histories. Rows with `point` at or above 0 hold exact and decoded beliefs of
    the first seed, one per point and coordinate. (Shai et al. 2024, arXiv 2405.15943.)"""
    draw, half = np.random.default_rng(0), nets.number // 2
    exact = np.stack([belief_of(nets, t) for t in nets.times])
    wrong = draw.permutation(half)
    shown = [(i, n) for i in range(len(exact)) for n in range(half, half + SHOWN // len(exact))]
    shown = np.array([place for place in shown if place[1] < nets.number])
    rows = []

    def flat(values, part):
        return values[:, part].reshape(-1, values.shape[-1])

    def show(kind, values):
        for point, (i, n) in enumerate(shown):
            place = {"kind": kind, "seed": 0, "point": point, "t": nets.times[i]}
            for axis, value in enumerate(values[i, n]):
                rows.append(place | {"axis": axis, "value": float(value), "shuffled": np.nan})

    show("exact", exact)
    for kind in nets.setup.all:
        for seed in range(nets.setup.seeds):
            states = np.stack([nets.at(kind, t)[seed] for t in nets.times])
            read = []
            for target in (exact[:, :half], exact[:, wrong]):
                known = target.reshape(-1, exact.shape[-1])
                weights = ridge(flat(states, slice(half)), known)
                read.append(through(weights, flat(states, slice(half, None))))
            values = [explained(flat(exact, slice(half, None)), one) for one in read]
            place = {"kind": kind, "seed": seed, "point": -1, "t": -1, "axis": -1}
            rows.append(place | {"value": values[0], "shuffled": values[1]})
            if seed == 0:
                found = np.zeros_like(exact)
                found[:, half:] = read[0].reshape(len(exact), -1, exact.shape[-1])
                show(kind, found)
    return table_of(rows)


def own_play(nets: Networks) -> Table:
    """Similarity of all pairs of networks, residual CKA at the probed steps, on the agents' own
    histories. Where actions neither affect cards nor are inputs, these are the same histories for
    all, and there is nothing to measure."""
    tables, seeds = [], nets.setup.seeds
    each = -(-nets.setup.num_decks // seeds)
    for kind in nets.setup.agents:

        @jax.jit
        def plays(params, key):
            agent = LanguageAgent.of(nets.env, nets.network, nets.inputs)
            chooser = by_agent(agent, params, each)
            return histories(nets.env, chooser, key, each)[0]

        keys = jax.random.split(jax.random.key(2**31 + 9), seeds)
        played = [plays(nets.one(kind, seed), keys[seed]) for seed in range(seeds)]
        played = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=1), *played)
        lengths = np.asarray(played.lengths)
        times = [t for t in nets.times if np.mean(lengths > t) > 0.5] or [nets.times[0]]
        alive = lengths > times[-1]
        if alive.sum() < 8:
            continue
        played = jax.tree.map(partial(_kept, alive), played)
        states = nets.reads(*episode_inputs(nets.env, played, nets.inputs), tuple(times))
        token, matrices = tokens_of(nets.env, played), []
        for i, t in enumerate(times):
            left = [
                similarity.residual(one[i], token[t]) for all_ in states.values() for one in all_
            ]
            matrices.append(similarity.matrix(similarity.MEASURES["CKA"], left))
        matrix = np.mean(matrices, axis=0)
        i, j = (place.reshape(-1) for place in np.indices(matrix.shape))
        labels = {"measure": np.full(len(i), "CKA"), "version": np.full(len(i), kind)}
        tables.append(labels | {"value": matrix.reshape(-1), "i": i, "j": j})
    none = {name: np.array([]) for name in ("measure", "version", "value", "i", "j")}
    return stack_tables(tables) if tables else none


def _kept(alive, leaf):
    return leaf[:, alive]
