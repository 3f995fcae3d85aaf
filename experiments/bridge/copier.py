"""What a copier earns in its own loop: a policy that repeats its last action, with slips.

Where one action is right throughout an episode, a copier of an expert's last action is right at
every step after the first, as long as the expert acts. Left to itself it makes a slip its own: with
the next slip it comes back only by chance, one time in K - 1.

    p[0] = 1 - e[0],   p[t] = p[t-1] (1 - e[t]) + (1 - p[t-1]) e[t] / (K - 1)

p: the probability of the right action. e: the measured error while the expert acts. One that
remembers the first observation has p = 1 - e in either loop.
"""

from __future__ import annotations

import numpy as np


def copied(error: np.ndarray, choices: int = 4) -> np.ndarray:
    """`[..., T]` probability of the right action in a copier's own loop, from its errors
    `[..., T]` in the expert's.

    >>> copied(np.array([0.0, 0.01, 0.01])).round(4).tolist()
    [1.0, 0.99, 0.9801]
    """
    right = [1 - error[..., 0]]
    for slip in np.moveaxis(error[..., 1:], -1, 0):
        right.append(right[-1] * (1 - slip) + (1 - right[-1]) * slip / (choices - 1))
    return np.stack(right, axis=-1)


def steady(error: np.ndarray) -> np.ndarray:
    """The same errors with one rate of slips, their mean, at all steps after the first."""
    slip = error[..., 1:].mean(axis=-1, keepdims=True)
    return np.concatenate([error[..., :1], np.broadcast_to(slip, error[..., 1:].shape)], axis=-1)


def expected_return(right: np.ndarray) -> np.ndarray:
    """`[...]` return of an episode that pays 1 / T for a right action and -1 / T for another, from
    the probability of being right `[..., T]`.

    >>> expected_return(np.array([1.0, 1.0, 0.5])).round(3).item()
    0.667
    """
    return np.mean(2 * right - 1, axis=-1)


def excess_error(open_nats: np.ndarray, closed_nats: np.ndarray) -> np.ndarray:
    """`[...]` %ExAccErr of Arora et al. 2022 (arXiv 2204.01171) at the end of an episode: by how
    many per cent the divergence from the expert that a policy gathers in its own loop exceeds what
    it would gather at the expert's rate. Both divergences are `[..., T]`.

    >>> excess_error(np.array([0.1, 0.1]), np.array([0.1, 0.3])).round(1).item()
    100.0
    """
    length = open_nats.shape[-1]
    gathered = closed_nats.sum(axis=-1) / open_nats.mean(axis=-1)
    return 100 * (gathered - length) / length
