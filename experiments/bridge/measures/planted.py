"""Synthetic memories with known overlap: the positive control of every measurement.

A counter keeps what predicting the next card requires, a register what acting requires, each with
the current card and the clock, one-hot. Every measure of trained networks must find in a counter
all of the counts and the share of the agent's statistic that the rules imply, and in a register the
reverse.
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
    """`[N, d]` memories after card t that hold only the statistic of `who`: "lm" a counter, each
    count one-hot; "rl", where order matters, a register, each list one-hot."""
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
    """States of unit mean variance in a random basis, with this share of the variance from `words`
    and the rest independent Gaussian noise in the other directions.

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
