"""Histories with the same next-token distribution but different futures: are they separated?

After some histories the next-token distribution is the same but later ones differ: in Autoencode
the same cards came in another order, in Concentration they lie in other cells. A next-token
predictor may map them to one state; an agent that acts on the difference cannot
(after Shai et al. 2024, arXiv 2405.15943).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from experiments.bridge.same_deck.measures import table_of
from experiments.bridge.same_deck.networks import Networks
from experiments.results.store import Table

TASKS = ("Autoencode", "Concentration")
"""Where acting well needs more than the next-token distribution."""
ROWS = 2000
"""The most histories paired, since the number of distances is quadratic."""


def classes(rows: Float[np.ndarray, "n m"]) -> Int[np.ndarray, " n"]:
    """Equal integers for rows that are equal to five digits.

    >>> classes(np.array([[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]])).tolist()
    [0, 1, 0]
    """
    return np.unique(np.round(rows, 5), axis=0, return_inverse=True)[1].ravel()


def apart(
    states: Float[np.ndarray, "n d"],
    law: Int[np.ndarray, " n"],
    future: Int[np.ndarray, " n"],
    token: Int[np.ndarray, " n"],
) -> float:
    """The mean squared distance between states with the same current token and next-token
    distribution but other futures, over that with the same token and other distributions.

    0 where only the distribution is held; 1 where histories are as far apart whether or not the
    next token distinguishes them. NaN if there are no such pairs.

    >>> law, future, token = np.array([0, 0, 1]), np.array([0, 1, 2]), np.zeros(3, int)
    >>> apart(np.array([[0.0], [0.0], [1.0]]), law, future, token)
    0.0
    >>> apart(np.eye(3), law, future, token)
    1.0
    """
    x = np.asarray(states, np.float64)
    x = x - x.mean(axis=0)
    norm = np.sum(x**2, axis=1)
    distance = np.maximum(norm[:, None] + norm - 2 * x @ x.T, 0.0)

    def same(values):
        return values[:, None] == values

    alike = same(law) & same(token)
    near, far = alike & ~same(future), same(token) & ~same(law)
    if not near.any() or not far.any():
        return float("nan")
    return float(distance[near].mean() / distance[far].mean())


def future_of(nets: Networks, t: int) -> Int[np.ndarray, " N"]:
    """Equal integers for histories with the same possible futures after step t: all cards in
    order, or the kind of each revealed card by cell."""
    if nets.task == "Autoencode":
        return classes(nets.cards[: t + 1, :, 0].T)
    obs = np.asarray(nets.episodes.obs)[: t + 1]
    return classes(np.max(np.where(obs < nets.env.num_kinds, obs + 1, 0), axis=0))


def distinction(nets: Networks) -> Table:
    """`apart` of each network at each probed step, with the number of pairs."""
    rows = []
    for t in nets.times:
        law, future = classes(nets.law[t])[:ROWS], future_of(nets, t)[:ROWS]
        token = nets.tokens[t][:ROWS]
        alike = (law[:, None] == law) & (token[:, None] == token)
        pairs = int(np.sum(np.triu(alike & (future[:, None] != future), 1)))
        for kind in nets.setup.all:
            for seed in range(nets.setup.seeds):
                value = apart(nets.at(kind, t)[seed, :ROWS], law, future, token)
                rows.append({"kind": kind, "seed": seed, "t": t, "pairs": pairs, "value": value})
    return table_of(rows)
