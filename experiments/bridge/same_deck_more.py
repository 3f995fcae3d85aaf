"""What else is measured of the networks of `experiments.bridge.same_deck`: one more null, the shape
of beliefs, and likeness on the histories that agents make themselves."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from agents.lm import reading
from agents.regimes.data import by_policy, histories
from agents.rollout import agent_input
from experiments.bridge import similarity
from experiments.bridge.interventions import explained, ridge, through
from experiments.bridge.same_deck_measures import joined, table_of
from experiments.bridge.same_deck_networks import Networks, tokens_of
from experiments.results import Table

SHOWN = 150
"""Points of a cloud of beliefs."""


def backwards(nets: Networks) -> Table:
    """CKA, residual given the token on the table, of each network's states after a history and
    after the same backwards, at each step that is probed: a null for what a likeness is worth, and
    high for a memory that is a multiset."""
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
    """What is exactly known after step t of what may come: the law of the next token, or the
    posterior means of a bandit's arms."""
    if nets.task != "MultiarmedBandit":
        return nets.law[t]
    action = np.asarray(nets.episodes.action)[:t]
    pulls = action[..., None] == np.arange(nets.env.num_arms)
    paid = np.asarray(nets.episodes.next_obs)[:t, :, None]
    return (1 + np.sum(pulls * paid, axis=0)) / (2 + pulls.sum(axis=0))


def shaped(nets: Networks) -> Table:
    """The share of the exact belief's variance that least squares finds in states, over all steps
    probed together, fitted on one half of the histories and asked on the other; and of beliefs of
    other histories. Beside it points of the belief and of what is read, of the first seed: rows
    with `point` at or above 0, one a point and coordinate. (Shai et al. 2024, arXiv 2405.15943.)"""
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
    """How alike all pairs of networks are, residual CKA at the steps probed, on the histories that
    the agents of each kind make themselves. Where cards come whatever is done and no action is
    read, these are the same histories for all, and there is nothing to measure."""
    tables, seeds = [], nets.setup.seeds
    each = -(-nets.setup.num_decks // seeds)
    for kind in nets.setup.agents:

        @jax.jit
        def plays(params, key):
            chooser = by_policy(nets.env, nets.network, params, each, nets.inputs)
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
        states = nets.reads(*reading(nets.env, played, nets.inputs), tuple(times))
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
    return joined(tables) if tables else none


def _kept(alive, leaf):
    return leaf[:, alive]
