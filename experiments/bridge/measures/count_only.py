"""What a memory that keeps only counts knows of one card: the exact curve of a multiset memory.

All orders of a deck are equally likely, so given the counts c of t cards, the first of them, or any
other, was of suit s with probability c[s] / t. A predictor of the next card needs only the counts;
this curve is what it still knows of the first card, and it falls to zero as the counts even out.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float
from scipy.special import entr
from scipy.stats import hypergeom


def by_lag(t: int, each: int, suits: int = 4) -> Float[np.ndarray, " lags"]:
    """Nats that a counter knows after t cards of the card k before the newest, k = 0 to t - 1. It
    observes the newest; of the t - 1 others it knows the counts but not the order.

    >>> by_lag(3, 13).round(3).tolist()
    [1.386, 0.856, 0.856]
    """
    known = [nats_of_one(n, each, suits) for n in [t - 1] if n]
    return np.array([math.log(suits)] + known * (t - 1))


def nats_of_one(t: int, each: int, suits: int = 4) -> float:
    """Nats about one of t cards given their counts, from the distribution of one suit's count.

    >>> round(nats_of_one(2, 13), 3), round(nats_of_one(3, 4, suits=13), 3)
    (0.856, 1.547)
    """
    c = np.arange(min(t, each) + 1)
    chance = hypergeom.pmf(c, each * suits, each, t)
    return math.log(suits) - float(suits * chance @ entr(c / t))
