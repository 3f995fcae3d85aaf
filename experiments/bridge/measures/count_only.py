"""What is known of one card if only the counts of a deck are kept: the exact curve of a memory that
is a multiset.

All orders of a deck are equally likely, so given that t cards showed the counts c, the first of
them, or any other, was of suit s with probability c[s] / t. A predictor of the next card needs the
counts and no more; what it still knows of the first card is this curve, and it falls to nothing as
the counts even out.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy.special import entr
from scipy.stats import hypergeom


def counts_after(t: int, each: int, suits: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """All counts `[C, suits]` that t cards can show of a deck with `each` of every suit, and how
    likely they are `[C]` (multivariate hypergeometric)."""
    counts = np.indices((min(t, each) + 1,) * suits).reshape(suits, -1).T
    counts = counts[counts.sum(axis=1) == t]
    ways = np.array([math.comb(each, c) for c in range(each + 1)], float)
    return counts, ways[counts].prod(axis=1) / math.comb(each * suits, t)


def count_only(
    each: int, suits: int = 4
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """How often the likeliest suit is right, and nats known, of one of the first t cards, t = 1 to
    n, by who knows their counts alone.

    >>> accuracy, nats = count_only(13)
    >>> accuracy[[0, 1, 2, 3, 7]].round(3).tolist(), nats[[0, 1, 2]].round(3).tolist()
    ([1.0, 0.618, 0.551, 0.52, 0.426], [1.386, 0.856, 0.599])
    """
    accuracy, nats = [], []
    for t in range(1, each * suits + 1):
        counts, chance = counts_after(t, each, suits)
        accuracy.append(chance @ counts.max(axis=1) / t)
        nats.append(math.log(suits) - chance @ entr(counts / t).sum(axis=1))
    return np.array(accuracy), np.array(nats)


def by_lag(t: int, each: int, suits: int = 4) -> Float[np.ndarray, " lags"]:
    """Nats that a counter knows after t cards of the card k before the newest, k = 0 to t - 1. The
    newest is on the table; of the t - 1 others it knows the counts, and not which came when.

    >>> by_lag(3, 13).round(3).tolist()
    [1.386, 0.856, 0.856]
    """
    known = [nats_of_one(n, each, suits) for n in [t - 1] if n]
    return np.array([math.log(suits)] + known * (t - 1))


def nats_of_one(t: int, each: int, suits: int = 4) -> float:
    """Nats known of one of t cards by who knows their counts: as `count_only` has it, but from the
    law of one suit's count, for any number of suits.

    >>> round(nats_of_one(2, 13), 3), round(nats_of_one(3, 4, suits=13), 3)
    (0.856, 1.547)
    """
    c = np.arange(min(t, each) + 1)
    chance = hypergeom.pmf(c, each * suits, each, t)
    return math.log(suits) - float(suits * chance @ entr(c / t))
