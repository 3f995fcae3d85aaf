"""Exchanges between the networks of `experiments.bridge.same_deck.config`: states transplanted,
beliefs simulated, and parts of states interchanged, within a costume and across."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from agents.nats import token_log_probs
from agents.objectives.histories import own_labels
from experiments.bridge.measures import planted
from experiments.bridge.measures.interventions import (
    flat,
    interchange,
    ridge,
    rotation,
    simulation,
    span,
    through,
    transplant,
)
from experiments.bridge.same_deck.measures import table_of
from experiments.bridge.same_deck.networks import HEAD, Networks
from experiments.results.store import Table


def head_of(nets: Networks, kind: str, seed: int):
    """A network's output for states `[n, d]`: probabilities of its own costume."""
    params = nets.one(kind, seed)

    def says(model, features):
        return model.token_logits(features) if HEAD[kind] == "token" else model.policy(features)

    run = jax.jit(lambda s: jax.nn.softmax(nets.network.apply(params, s, method=says)))
    return lambda states: np.asarray(run(jnp.asarray(states, jnp.float32)), np.float64)


def transplanted(nets: Networks) -> Table:
    """Recovery of each trained network that continues, from the middle of the episode, from the
    state of another seed of each kind. The score is the log-probability of the next token or of the
    right action; where that depends on earlier actions, of the network's own likeliest action. No
    rows for a memory whose state is not real-valued."""
    cut, network, rows = nets.middle + 1, nets.network, []

    @jax.jit
    def begun(params):
        backbone, tree = network.backbone, {"params": params["params"]["backbone"]}
        carry = network.initial_carry(nets.x.shape[1])
        return backbone.apply(tree, carry, nets.x[:cut], nets.start[:cut])[0]

    _, labelled = own_labels(nets.env, nets.episodes)

    def earned(says):
        @jax.jit
        def run(params, carry, own):
            logits, policy = nets.outputs(params, carry, cut)
            if says == "token":
                log_probs = token_log_probs(network.sizes, logits, nets.token[cut:])[0]
                return jnp.mean(log_probs, axis=0, where=nets.episodes.valid[cut:])
            right = nets.answer[cut:] if nets.dealt else own
            all_log_probs = jax.nn.log_softmax(policy)
            log_probs = jnp.take_along_axis(all_log_probs, right[..., None], -1)[..., 0]
            return jnp.mean(log_probs, axis=0, where=labelled[cut:])

        return run

    @jax.jit
    def likeliest(params, carry):
        return jnp.argmax(nets.outputs(params, carry, cut)[1], axis=-1)

    scores = {says: earned(says) for says in set(HEAD.values())}
    seeds = range(nets.setup.seeds)
    carries = {
        (kind, seed): begun(nets.one(kind, seed)) for kind in nets.setup.all for seed in seeds
    }
    try:
        flat(carries[nets.setup.kinds[0], 0])
    except ValueError:
        return {name: np.array([]) for name in ("host", "donor", "seed", "map", "recovery")}
    for host in nets.setup.kinds:
        for seed in seeds:
            params, own = nets.one(host, seed), carries[host, seed]
            score = partial(scores[HEAD[host]], params, own=likeliest(params, own))
            for donor in nets.setup.all:
                other = carries[donor, (seed + 1) % nets.setup.seeds]
                for name, fit in (("any", ridge), ("rotation", rotation)):
                    value = transplant(other, own, score, fit)
                    row = {"host": host, "donor": donor, "seed": seed, "map": name}
                    rows.append(row | {"recovery": value})
    return table_of(rows)


def exchanged(nets: Networks) -> Table:
    """In the middle of the episode: the round trip of each costume's belief through the states, and
    the effect of replacing that component of a state with another history's, from the same network
    or from another."""
    t, rows = nets.middle, []
    half = nets.number // 2
    later = slice(half, None)
    for host in nets.setup.kinds:
        who = "lm" if HEAD[host] == "token" else "rl"
        exact = (
            nets.law[t] if who == "lm" else np.eye(nets.env.action_space.num_values)[nets.answer[t]]
        )
        words = planted.states(nets.env, who, nets.cards, t)[:, :-1]
        content = exact if who == "rl" else words
        for seed in range(nets.setup.seeds):
            states = np.float64(nets.at(host, t)[seed])
            head = head_of(nets, host, seed)
            trip = simulation(words, states, head)
            basis = span(content[:half], states[:half])
            for donor in nets.setup.all:
                given = states
                if donor != host:
                    theirs = nets.at(donor, t)[(seed + 1) % nets.setup.seeds]
                    given = through(ridge(theirs[:half], states[:half]), theirs)
                found = interchange(
                    states[later], given[later], basis, lambda s, e=exact: e[later][s], head
                )
                rows.append(
                    {"host": host, "donor": donor, "seed": seed} | found._asdict() | trip._asdict()
                )
    return table_of(rows)
