"""Exchanges between the networks of `experiments.bridge.same_deck`: states transplanted, beliefs
simulated, and parts of states interchanged, within a costume and across."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from experiments.bridge import planted
from experiments.bridge.interventions import (
    interchange,
    ridge,
    rotation,
    simulation,
    span,
    through,
    transplant,
)
from experiments.bridge.same_deck_measures import ALL, SAYS, Networks, table_of
from experiments.results import Table


def head_of(nets: Networks, kind: str, seed: int):
    """What a network says of states `[n, d]`: probabilities of its own costume."""
    params = nets.one(kind, seed)

    def says(model, features):
        return model.token_logits(features) if SAYS[kind] == "token" else model.policy(features)

    run = jax.jit(lambda s: jax.nn.softmax(nets.network.apply(params, s, method=says)))
    return lambda states: np.asarray(run(jnp.asarray(states, jnp.float32)), np.float64)


def transplanted(nets: Networks) -> Table:
    """Recovery of each trained network that goes on, from the middle of the episode, with the state
    of another seed of each kind."""
    cut, network, rows = nets.middle + 1, nets.network, []

    @jax.jit
    def begun(params):
        carry = network.initial_carry(nets.x.shape[1])
        return network.apply(params, carry, nets.x[:cut], nets.start[:cut])[0]

    def earned(says):
        @jax.jit
        def run(params, carry):
            _, logits, policy = network.apply(params, carry, nets.x[cut:], nets.start[cut:])
            said = jax.nn.log_softmax(logits if says == "token" else policy)
            right = nets.token[cut:, :, 0] if says == "token" else nets.answer[cut:]
            return jnp.mean(jnp.take_along_axis(said, right[..., None], -1)[..., 0], axis=0)

        return run

    scores = {says: earned(says) for says in set(SAYS.values())}
    seeds = range(nets.setup.seeds)
    carries = {(kind, seed): begun(nets.one(kind, seed)) for kind in ALL for seed in seeds}
    for host, says in SAYS.items():
        for donor in ALL:
            for seed in seeds:
                score = partial(scores[says], nets.one(host, seed))
                other = carries[donor, (seed + 1) % nets.setup.seeds]
                for name, fit in (("any", ridge), ("rotation", rotation)):
                    value = transplant(other, carries[host, seed], score, fit)
                    row = {"host": host, "donor": donor, "seed": seed, "map": name}
                    rows.append(row | {"recovery": value})
    return table_of(rows)


def exchanged(nets: Networks) -> Table:
    """In the middle of the episode: the round trip of each costume's belief through the states, and
    what happens if that part of a state is another history's, as the network itself holds it or as
    another does."""
    t, rows = nets.middle, []
    half = nets.setup.num_decks // 2
    later = slice(half, None)
    for host, says in SAYS.items():
        who = "lm" if says == "token" else "rl"
        exact = (
            nets.law[t] if who == "lm" else np.eye(nets.env.action_space.num_values)[nets.answer[t]]
        )
        words = planted.states(nets.env, who, nets.cards, t)[:, :-1]
        content = exact if who == "rl" else words
        for seed in range(nets.setup.seeds):
            states = np.float64(nets.states[host][seed, t])
            head = head_of(nets, host, seed)
            trip = simulation(words, states, head)
            basis = span(content[:half], states[:half])
            for donor in ALL:
                given = states
                if donor != host:
                    theirs = nets.states[donor][(seed + 1) % nets.setup.seeds, t]
                    given = through(ridge(theirs[:half], states[:half]), theirs)
                found = interchange(
                    states[later], given[later], basis, lambda s, e=exact: e[later][s], head
                )
                rows.append(
                    {"host": host, "donor": donor, "seed": seed} | found._asdict() | trip._asdict()
                )
    return table_of(rows)
