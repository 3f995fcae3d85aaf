"""Memories made by hand, whose overlap is known: the positive control of every measurement.

A counter keeps what predicting the next card takes, a register what acting takes, each beside the
card on the table and the clock, as words of 0 and 1. Whatever measures trained networks must find
in a counter all of the counts and as much of the agent's statistic as the rules say, and in a
register the reverse.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int

from experiments.bridge.measures.beliefs import Who, known_of, statistic_of
from experiments.bridge.measures.overlap import deck_of
from popjax.core import Environment


def states(
    env: Environment, who: Who, cards: Int[np.ndarray, "T N decks"], t: int
) -> Float[np.ndarray, "N d"]:
    """Of N networks' worth of memory after card t, that hold just the statistic of `who`: "lm" a
    counter, each count a word of its own; "rl" where order matters a register, each list one."""
    deck = deck_of(env)
    known = known_of(env, who, cards, t)
    if who == "rl" and deck.listed:
        size = (deck.num_kinds,) * known.shape[1]
        word = np.ravel_multi_index(known.T, size) if known.shape[1] else np.zeros(len(known), int)
        memory = np.eye(len(statistic_of(env, who, t).values))[word]
    else:
        memory = np.eye(deck.each + 1)[known].reshape(len(known), -1)
    table = np.eye(deck.num_kinds)[cards[t]].reshape(len(known), -1)
    return np.concatenate([memory, table, np.full((len(known), 1), t + 1.0)], axis=1)


def at_share(
    words: Float[np.ndarray, "N m"], share: float, width: int, seed: int = 0
) -> Float[np.ndarray, "N d"]:
    """States of unit mean variance, in a random basis, of whose variance the words take this share;
    the rest is independent Gaussian noise in the other directions.

    >>> words = np.eye(4)[np.random.default_rng(0).integers(4, size=5000)]
    >>> x = at_share(words, share=0.1, width=32)
    >>> x.shape, round(float(x.var(axis=0).mean()), 1)
    ((5000, 32), 1.0)
    """
    draw = np.random.default_rng(seed)
    x = words - words.mean(axis=0)
    x *= np.sqrt(share * width / x.var(axis=0).sum())
    rest = width - words.shape[1]
    other = draw.normal(size=(len(words), rest)) * np.sqrt((1 - share) * width / rest)
    turn = np.linalg.qr(draw.normal(size=(width, width)))[0]
    return np.concatenate([x, other], axis=1) @ turn
