"""What a probe would find in any case: four controls, and the description length.

untrained: the states of the same network before its first update, with the same `probe`.
last_cards: no network, only the last m observations.
hashed: as many labels, drawn once for each value of something a state may hold; a probe can only
memorise them (Hewitt and Liang 2019, arXiv 1909.03368). Selectivity is the nats of the task minus
those of this control.
shuffled: labels of other rows with the same current token; only overfitting is left.

With enough rows, probes succeed on untrained networks as well. The description length of the
labels, coded block by block with probes fitted on earlier blocks, accounts for the number of rows
(Voita and Titov 2020, arXiv 2003.12298).
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from experiments.bridge.measures.probes import Question, ask, blank, fit, row_nats, whitened

BLOCKS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1)


def last_cards(
    cards: Int[np.ndarray, "T N decks"], t: int, m: int, kinds: int
) -> Float[np.ndarray, "N d"]:
    """The last m observations after card t, one-hot.

    >>> last_cards(np.array([[[2]], [[0]], [[1]]]), t=2, m=2, kinds=3).astype(int).tolist()
    [[1, 0, 0, 0, 1, 0]]
    """
    window = cards[max(0, t + 1 - m) : t + 1]
    return np.eye(kinds)[window].transpose(1, 0, 2, 3).reshape(cards.shape[1], -1)


def hashed(kept: Int[np.ndarray, "n m"], num_values: int, seed: int = 0) -> Question:
    """The control task: a random label for each distinct row."""
    groups = np.unique(kept, axis=0, return_inverse=True)[1].reshape(-1)
    label = np.random.default_rng(seed).integers(num_values, size=groups.max() + 1)[groups]
    shares = np.bincount(label, minlength=num_values) / len(label)
    prior = np.log(np.maximum(shares, 1e-9))
    return ask(label, num_values, prior=np.broadcast_to(prior, (len(label), num_values)))


def shuffled(question: Question, token: Int[np.ndarray, " n"], seed: int = 0) -> Question:
    """The same question with the answers permuted among rows with the same token."""
    generator = np.random.default_rng(seed)
    place = np.arange(len(token))
    for value in np.unique(token):
        rows = np.flatnonzero(token == value)
        place[rows] = generator.permutation(rows)
    return question._replace(target=question.target[place])


def gain(share: np.ndarray, untrained: np.ndarray) -> np.ndarray:
    """What training added, as a share of what the untrained network lacked; negative if it erased.

    >>> gain(np.array([0.9, 0.2]), np.array([0.6, 0.6])).round(2).tolist()
    [0.75, -1.0]
    """
    return (share - untrained) / (1 - untrained)


def description(
    states: Float[np.ndarray, "L n d"],
    question: Question,
    penalty: float = 0.01,
    blocks: tuple[float, ...] = BLOCKS,
    steps: int = 40,
    seed: int = 0,
) -> Float[np.ndarray, " L"]:
    """Nats per row to code all answers given the states: the first block by the prior, each later
    block by a probe fitted on those before it."""
    n = len(question.target)
    order = np.random.default_rng(seed).permutation(n)
    ends = [round(share * n) for share in blocks]
    target, prior = question.target[order], question.prior[order]
    x = whitened(np.asarray(states)[:, order])
    nats_first = question.known[order][: ends[0]].sum()
    given = [jnp.asarray(a, jnp.float32) for a in (target, prior, question.parts)]
    nats = np.full(len(x), nats_first)
    for begin, end in pairwise(ends):
        mask = jnp.asarray(np.arange(n) < begin, jnp.float32)
        rows = _coded(jnp.asarray(x, jnp.float32), *given, mask, jnp.float32(penalty), steps=steps)
        nats += np.asarray(rows, np.float64)[:, begin:end].sum(axis=1)
    return nats / n


@partial(jax.jit, static_argnames="steps")
def _coded(x, target, prior, parts, mask, penalty, steps):
    def one(x):
        begin = blank(x, parts)
        return row_nats(target, fit(x, target, prior, parts, mask, penalty, begin, steps)[1])

    return jax.lax.map(one, x)
