"""All measures of the networks of one cell, on the same held-out histories.

One long table: `what` was measured, `of` which part, for which network (`kind`, `seed`), with whose
state (`donor`, `other`), and the `value`. Columns that do not apply are "", seeds -1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bridge.kinship.config import KINDS
from experiments.bridge.kinship.networks import Networks
from experiments.bridge.measures import beliefs, planted, retention, similarity
from experiments.bridge.measures.held import NOISES, network_reading, variance_share
from experiments.bridge.measures.interventions import interchange, ridge, ridges, span, through
from experiments.bridge.measures.probes import Question, probe
from experiments.bridge.measures.questions import counted
from experiments.results.store import Table
from popjax import scores
from popjax.floors import decks as floors

STATISTICS = ("rl", "lm")
MAP_ROWS, ALIKE_ROWS = 8192, 1024


class Row(NamedTuple):
    what: str
    of: str
    kind: str
    seed: int
    value: float
    donor: str = ""
    other: int = -1


def table_of(rows: list[Row]) -> Table:
    return {name: np.array([getattr(row, name) for row in rows]) for name in Row._fields}


def measured(nets: Networks) -> Table:
    """Everything, one measure after another."""
    return table_of([row for measure in MEASURES.values() for row in measure(nets)])


def competence(nets: Networks) -> Iterator[Row]:
    """The return of every agent in the evaluation of its cell, and every model's nats per token."""
    _, found, _ = nets.cells["agent"].read()
    for seed in nets.specs["agent"].seeds:
        own = (found["policy"] == "sampled") & (found["seed"] == seed)
        yield Row("return", "", "agent", seed, float(found["return"][own].mean()))
    _, found, _ = nets.cells["model"].read()
    for seed in nets.specs["model"].seeds:
        own = found["seed"] == seed
        nats = found["nats"][own].sum() / found["tokens"][own].sum()
        yield Row("nats", "", "model", seed, float(nats))
    known = scores.scores(nets.env_id)
    for name in ("random", "memoryless", "reference"):
        yield Row("scale", name, "", -1, known[name]["mean"])
    env = nets.env
    yield Row("scale", "floor", "", -1, floors.nats_per_episode(env) / env.max_steps)
    yield Row("scale", "floor without memory", "", -1, floors.without_memory(env) / env.max_steps)


def questions(nets: Networks, who: str, t: int) -> list[Question]:
    """The questions about a statistic after step t: a list of cards at once, counts by kind."""
    deck = nets.deck
    if who == "rl" and deck.listed:
        return [beliefs.question(nets.env, who, nets.cards, t)]
    decks = 1 if who == "rl" else deck.num_decks
    return [part for of in range(decks) for part in counted(deck, nets.cards, t, of)]


def each(nets: Networks) -> list[tuple[str, int]]:
    """The networks, in the order of `Networks.at`."""
    return [(kind, seed) for kind in KINDS for seed in nets.specs["agent"].seeds]


def held(nets: Networks) -> Iterator[Row]:
    """Nats of both statistics beyond clock and token: by a linear probe at three noise levels and
    by a small network, over all probed steps; and the share of variance."""
    for who in STATISTICS:
        parts_by_time = [(t, part) for t in nets.times for part in questions(nets, who, t)]
        yield Row("known", who, "", -1, sum(part.known.mean() for _, part in parts_by_time))
        for noise in NOISES:
            held = sum(
                probe(nets.at(t), part, noise=noise).information for t, part in parts_by_time
            )
            for (kind, seed), nats in zip(each(nets), held, strict=True):
                yield Row(f"held {noise:g}", who, kind, seed, float(nats))
        middle = nets.times[len(nets.times) // 2]
        parts = questions(nets, who, middle)
        upper = sum(network_reading(nets.at(middle), part, noise=0.1) for part in parts)
        linear = sum(probe(nets.at(middle), part, noise=0.1).information for part in parts)
        shares = variance_share(nets.at(middle), joined(parts), nets.tokens[middle])
        for i, (kind, seed) in enumerate(each(nets)):
            yield Row("network 0.1", who, kind, seed, float(upper[i]))
            yield Row("linear 0.1", who, kind, seed, float(linear[i]))
            yield Row("variance", who, kind, seed, float(shares[i]))


def joined(parts: list[Question]) -> Question:
    """The features of several questions, concatenated."""
    words = np.concatenate([part.target @ part.parts for part in parts], axis=1)
    return Question(words, np.zeros_like(words), np.eye(words.shape[1]))


def exchange(nets: Networks) -> Iterator[Row]:
    """Each network's score with another's state, through a ridge map fitted on histories, and with
    its own: an agent's closed-loop return, a model's negative nats per token."""
    seeds = nets.specs["agent"].seeds
    features = {k: s[:, :, nets.fitted].reshape(len(seeds), -1, s.shape[-1])
                for k, s in nets.states.items()}  # fmt: skip
    draw = np.random.default_rng(0).permutation(features["agent"].shape[1])[:MAP_ROWS]
    features = {k: s[:, draw] for k, s in features.items()}
    width = features["agent"].shape[-1]
    itself = np.concatenate([np.eye(width), np.zeros((1, width))])
    hosts = [(kind, i) for kind in ("agent", "model") for i in range(len(seeds))]
    to = {}  # (donor, seed) -> (host, seed) -> map
    for donor in KINDS:
        for j in range(len(seeds)):
            fitted = ridges(features[donor][j], [features[host][i] for host, i in hosts])
            to[donor, j] = dict(zip(hosts, fitted, strict=True))
    for host in ("agent", "model"):
        pairs, maps = [], []
        for i in range(len(seeds)):
            pairs.append((i, host, i))
            maps.append(itself)
            for donor in KINDS:
                for j in range(len(seeds)):
                    if i != j:
                        pairs.append((i, donor, j))
                        maps.append(to[donor, j][host, i])
        score = returns if host == "agent" else minus_nats
        for (i, donor, j), value in zip(pairs, score(nets, pairs, maps), strict=True):
            yield Row("exchange", "", host, seeds[i], float(value), donor, seeds[j])


def returns(nets: Networks, pairs: list, maps: list) -> np.ndarray:
    """Mean returns of agents with the states of donors."""
    heads = nets.params["agent"]["params"]["policy"]
    stacked = (
        stack([pick(nets.backbones(donor), j) for _, donor, j in pairs]),
        jnp.asarray(np.stack(maps), jnp.float32),
        stack([pick(heads, i) for i, _, _ in pairs]),
    )
    return np.asarray(nets.returns_of(stacked))


def minus_nats(nets: Networks, pairs: list, maps: list) -> Iterator[float]:
    """Negative nats per token of models with the states of donors."""
    for (i, donor, j), weights in zip(pairs, maps, strict=True):
        rows = nets.states[donor][j][:, nets.held_out] @ np.float32(weights[:-1])
        params = pick(nets.params["model"]["params"], i)
        yield -float(nets.nats_of(params, jnp.asarray(rows + np.float32(weights[-1]))))


def cause(nets: Networks) -> Iterator[Row]:
    """Takes the component of a state for its own statistic from another history: how far outputs
    move to the exact ones of the counterfactual history. With the network's own states and, through
    a ridge map, with those of another seed, of the other kind, of an untrained one."""
    t = nets.times[len(nets.times) // 2]
    half = nets.config.histories // 2
    later = slice(half, None)
    outputs = {
        "agent": (nets.policy, nets.params["agent"]["params"]["policy"]),
        "model": (nets.next_card, nets.params["model"]["params"]),
    }
    for host, (law, heads) in outputs.items():
        exact = nets.right_action(t) if host == "agent" else nets.law_of_next(t)
        who = "rl" if host == "agent" else "lm"
        words = planted.states(nets.env, who, nets.cards, t)[:, :-1]
        for i, seed in enumerate(nets.specs["agent"].seeds):
            own = np.float64(nets.states[host][i, t])
            basis = span(words[:half], own[:half])
            head = pick(heads, i)

            def says(states, law=law, head=head):
                return np.asarray(law(head, jnp.asarray(states, jnp.float32)), np.float64)

            other = (i + 1) % nets.seeds
            for donor in KINDS:
                theirs = np.float64(nets.states[donor][other, t])
                given = through(ridge(theirs[:half], own[:half]), theirs)
                yield from _interchanged(
                    host, seed, donor, other, own, given, later, basis, exact, says
                )
            yield from _interchanged(host, seed, "itself", i, own, own, later, basis, exact, says)


def _interchanged(host, seed, donor, other, own, given, later, basis, exact, says):
    found = interchange(own[later], given[later], basis, lambda source: exact[later][source], says)
    for name, value in found._asdict().items():
        yield Row("cause", name, host, seed, float(value), donor, other)


def pick(tree: Any, i: int) -> Any:
    return jax.tree.map(lambda leaf: leaf[i], tree)


def stack(trees: list) -> Any:
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def alike(nets: Networks) -> Iterator[Row]:
    """Residual CKA and Procrustes of all pairs of networks, at one random step of each history."""
    draw = np.random.default_rng(0)
    rows = draw.permutation(nets.config.histories)[:ALIKE_ROWS]
    t = draw.integers(nets.times[0], nets.times[-1] + 1, len(rows))
    token = nets.tokens[t, rows]
    left = [
        similarity.residual(one[t, rows], t, token) for kind in KINDS for one in nets.states[kind]
    ]
    for name in ("CKA", "Procrustes"):
        matrix = similarity.matrix(similarity.MEASURES[name], left)
        for i, (kind, seed) in enumerate(each(nets)):
            for j, (donor, other) in enumerate(each(nets)):
                if i != j:
                    yield Row("alike", name, kind, seed, float(matrix[i, j]), donor, other)


def forgetting(nets: Networks) -> Iterator[Row]:
    """Nats of each earlier card, by lag, at the last probed step."""
    t = nets.times[-1]
    earlier = nets.cards[t::-1, :, 0].T[:, : nets.config.lags]
    kept = retention.retention(nets.at(t), earlier, nets.deck.num_kinds)
    for (kind, seed), curve in zip(each(nets), kept, strict=True):
        for lag, nats in enumerate(curve):
            yield Row("retained", str(lag), kind, seed, float(nats))
    for lag, column in enumerate(earlier.T):
        known = retention.word(column, nets.deck.num_kinds).known.mean()
        yield Row("retained", str(lag), "known", -1, float(known))


def distinction(nets: Networks) -> Iterator[Row]:
    """Compression and distinction (after Vafa et al. 2024, arXiv 2406.03689): of pairs of
    histories with the same current token, the share of those with equal statistics that get equal
    outputs, and the share of those with different statistics that get different ones.

    Outputs are an agent's likeliest action, or a model's distribution of the next card, equal
    within a total variation of 0.05.
    """
    t = nets.times[len(nets.times) // 2]
    logits = outputs_at(nets, t)
    for who in STATISTICS:
        value = np.concatenate(
            [np.argmax(part.target, axis=1)[:, None] for part in questions(nets, who, t)], axis=1
        )
        same, other = pairs_of(value, nets.tokens[t])
        for kind, every in logits.items():
            for seed, law in zip(nets.specs["agent"].seeds, every, strict=True):
                for name, pairs in (("equal", same), ("different", other)):
                    if len(pairs):
                        agree = equal_outputs(kind, law, pairs)
                        share = agree.mean() if name == "equal" else 1 - agree.mean()
                        yield Row(f"{name} apart", who, kind, seed, float(share))


def outputs_at(nets: Networks, t: int) -> dict[str, np.ndarray]:
    """`[seeds, N, K]` probabilities: of an agent's actions, of a model's next card."""
    agents, models = nets.params["agent"]["params"]["policy"], nets.params["model"]["params"]
    heads = {"agent": (nets.policy, agents), "model": (nets.next_card, models)}
    return {
        kind: np.stack(
            [np.asarray(law(pick(every, i), nets.states[kind][i, t])) for i in range(nets.seeds)]
        )
        for kind, (law, every) in heads.items()
    }


def pairs_of(
    value: np.ndarray, token: np.ndarray, most: int = 4000, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of rows with the same token and equal statistics, and with different ones."""
    draw = np.random.default_rng(seed)
    _, group = np.unique(np.column_stack([token, value]), axis=0, return_inverse=True)
    one, two = draw.integers(len(token), size=(2, 60 * most))
    usable = (one != two) & (token[one] == token[two])
    one, two = one[usable], two[usable]
    alike = group[one] == group[two]
    pairs = np.column_stack([one, two])
    return pairs[alike][:most], pairs[~alike][:most]


def equal_outputs(kind: str, law: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    one, two = law[pairs[:, 0]], law[pairs[:, 1]]
    if kind == "agent":
        return one.argmax(axis=-1) == two.argmax(axis=-1)
    return np.abs(one - two).sum(axis=-1) / 2 < 0.05


MEASURES: dict[str, Callable[[Networks], Iterator[Row]]] = {
    "competence": competence,
    "held": held,
    "exchange": exchange,
    "alike": alike,
    "cause": cause,
    "forgetting": forgetting,
    "distinction": distinction,
}
