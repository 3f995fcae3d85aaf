"""How many nats a network's state holds of an exact belief: linear probes.

A probe is a log-linear model of a statistic z given a state x, on top of an exact prior:

    p(z | x) ~ p(z | clock, token) exp(sum_f parts[z, f] (W x + b)[f])

prior: the exact p(z | clock, token), so that an uninformative probe scores 0 nats and what the
clock and the current token already determine does not count.
parts: `[K, F]` features shared by values of z, such as the kind of each card of a list; the
identity matrix gives multinomial logistic regression.

States are whitened first, so results do not depend on the basis or the scale of a state; nor,
without noise, on the share of a state's variance that the statistic explains. With noise they do: a
probe of `noisy` states finds only what stands out. The penalty is chosen for each state by
cross-validation within the fitted rows; splits are by episode, not by row (Alain and Bengio 2016,
arXiv 1610.01644; Voita and Titov 2020, arXiv 2003.12298).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

PENALTIES = (1.0, 0.1, 0.01, 1e-3, 1e-4)
STEPS = 12
NEVER = -1e9


class Question(NamedTuple):
    """What n states are probed for.

    target: `[n, K]` the belief, one-hot where the statistic is known.
    prior: `[n, K]` log-probabilities without the state, `NEVER` where impossible.
    parts: `[K, F]`.

    >>> Question(np.eye(2), np.log([[0.5, 0.5], [0.9, 0.1]]), np.eye(2)).known.round(3).tolist()
    [0.693, 2.303]
    """

    target: Float[np.ndarray, "n K"]
    prior: Float[np.ndarray, "n K"]
    parts: Float[np.ndarray, "K F"]

    @property
    def known(self) -> Float[np.ndarray, " n"]:
        """Nats of each target under the prior."""
        return -np.sum(np.where(self.target > 0, self.target * self.prior, 0.0), axis=-1)


class Answer(NamedTuple):
    """Probe results for each of L states, in nats per row of held-out episodes.

    nats: `[L]` cross-entropy of the probe. entropy: `[]` cross-entropy of the prior on the same
    rows. floor: `[]` entropy of the targets themselves, 0 where the statistic is known.
    penalty: `[L]` chosen. accuracy: `[L]` how often the likeliest value is the target's.

    >>> answer = Answer(np.array([0.5]), 1.5, 0.0, np.array([0.1]), np.array([0.9]))
    >>> answer.information.tolist(), answer.share.round(3).tolist()
    ([1.0], [0.667])
    """

    nats: Float[np.ndarray, " L"]
    entropy: float
    floor: float
    penalty: Float[np.ndarray, " L"]
    accuracy: Float[np.ndarray, " L"]

    @property
    def information(self) -> Float[np.ndarray, " L"]:
        """`[L]` nats that the states hold: a lower bound, and below 0 where a probe overfitted."""
        return self.entropy - self.nats

    @property
    def share(self) -> Float[np.ndarray, " L"]:
        """`[L]` Uhat: the share of the available nats that is held."""
        return self.information / (self.entropy - self.floor)

    @property
    def divergence(self) -> Float[np.ndarray, " L"]:
        """`[L]` KL(belief || probe)."""
        return self.nats - self.floor


def ask(
    values: Int[np.ndarray, " n"],
    num_values: int,
    prior: Float[np.ndarray, "n K"] | None = None,
    parts: Float[np.ndarray, "K F"] | None = None,
) -> Question:
    """The question for a statistic known at every row. The default prior is uniform, and the
    probe's unpenalised bias fits the marginal frequencies.

    >>> question = ask(np.array([0, 2]), num_values=3)
    >>> question.target.tolist(), question.known.round(3).tolist()  # ln 3
    ([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]], [1.099, 1.099])
    """
    if prior is None:
        prior = np.full((len(values), num_values), -np.log(num_values))
    return Question(
        np.eye(num_values)[values], prior, np.eye(num_values) if parts is None else parts
    )


def probe(
    states: Float[np.ndarray, "L n d"],
    question: Question,
    episodes: Int[np.ndarray, " n"] | None = None,
    penalties: tuple[float, ...] = PENALTIES,
    folds: int = 2,
    test_share: float = 1 / 3,
    steps: int = STEPS,
    seed: int = 0,
    noise: float = 0.0,
) -> Answer:
    """Fits a probe to each of L states of the same n rows and evaluates it on held-out episodes.

    episodes: the episode of each row; by default each row is its own. folds: of the fitted
    episodes, to choose the penalty. noise: added to the states, see `noisy`.

    >>> card = np.random.default_rng(0).integers(4, size=600)
    >>> held = probe(np.eye(4)[card][None], ask(card, 4)).information
    >>> bool(held[0] > 1.3)  # of ln 4 = 1.386
    True
    """
    n = len(question.target)
    part = parts_of_rows(n, episodes, folds, test_share, seed)
    x = whitened(noisy(states, noise, seed), part >= 0)
    masks = np.stack([(part >= 0) & (part != fold) for fold in range(folds)] + [part >= 0])
    found = _choose_and_fit(
        *(jnp.asarray(a, jnp.float32) for a in (x, *question, masks)),
        jnp.asarray(penalties, jnp.float32),
        steps=steps,
    )
    best, nats, right = (np.asarray(a, np.float64) for a in found)
    left_out = part < 0
    logs = np.log(np.where(question.target > 0, question.target, 1.0))
    return Answer(
        nats=nats[:, left_out].mean(axis=1),
        entropy=float(question.known[left_out].mean()),
        floor=float(-np.sum(question.target * logs, axis=1)[left_out].mean()),
        penalty=np.asarray(penalties)[best.astype(int)],
        accuracy=right[:, left_out].mean(axis=1),
    )


def noisy(
    states: Float[np.ndarray, "... n d"], noise: float, seed: int = 0
) -> Float[np.ndarray, "... n d"]:
    """States plus independent Gaussian noise in every unit, in units of the root mean variance of a
    state's units. The scale is the same for all units, so rotating a state does not change it.

    >>> x = np.random.default_rng(0).normal(size=(20_000, 2)) * [3.0, 1.0]  # mean variance 5
    >>> (noisy(x, 0.3) - x).std(axis=0).round(1).tolist()  # 0.3 of the root of 5
    [0.7, 0.7]
    """
    x = np.asarray(states, np.float64)
    if not noise:
        return x
    size = np.sqrt(x.var(axis=-2).mean(axis=-1))[..., None, None]
    return x + noise * size * np.random.default_rng(seed).normal(size=x.shape)


def parts_of_rows(
    n: int, episodes: Int[np.ndarray, " n"] | None, folds: int, test_share: float, seed: int
) -> Int[np.ndarray, " n"]:
    """-1 for the rows of the episodes left out, else the fold of the row's episode.

    >>> part = parts_of_rows(6, np.array([0, 0, 1, 1, 2, 2]), folds=2, test_share=1 / 3, seed=0)
    >>> sorted(part.tolist()), bool(part[0] == part[1])
    ([-1, -1, 0, 0, 1, 1], True)
    """
    groups = np.arange(n) if episodes is None else np.unique(episodes, return_inverse=True)[1]
    number = groups.max() + 1
    order = np.random.default_rng(seed).permutation(number)
    tested = round(number * test_share)
    fold = np.where(np.arange(number) < tested, -1, np.arange(number) % folds)
    return fold[order[groups]]


def whitened(
    states: Float[np.ndarray, "... n d"], fitted: np.ndarray | None = None, least: float = 1e-7
) -> Float[np.ndarray, "... n d"]:
    """States whitened on the fitted rows. Directions with less than `least` of the largest
    variance, which is below float32 precision, are set to zero.

    >>> x = np.random.default_rng(0).normal(size=(100, 2)) @ np.array([[3.0, 1.0], [0.0, 0.1]])
    >>> np.allclose(np.cov(whitened(x).T, bias=True), np.eye(2))
    True
    """
    x = np.asarray(states, np.float64)
    rows = x if fitted is None else x[..., fitted, :]
    middle = rows.mean(axis=-2, keepdims=True)
    _, size, axes = np.linalg.svd(rows - middle, full_matrices=False)
    size = size / np.sqrt(rows.shape[-2])
    kept = size**2 > least * np.max(size**2, axis=-1, keepdims=True, initial=1e-30)
    scale = np.where(kept, 1 / np.where(kept, size, 1.0), 0.0)
    return (x - middle) @ (np.swapaxes(axes, -1, -2) * scale[..., None, :])


@partial(jax.jit, static_argnames="steps")
def _choose_and_fit(x, target, prior, parts, masks, penalties, steps):
    """For each state the index of the penalty, and for every row the nats and whether the likeliest
    value is right."""

    def one(x):
        train, last = masks[:-1], masks[-1]

        def fold(mask):
            held = last * (1 - mask)

            def weaker(weights, penalty):
                weights, logits = fit(x, target, prior, parts, mask, penalty, weights, steps)
                return weights, jnp.sum(held * row_nats(target, logits))

            return jax.lax.scan(weaker, blank(x, parts), penalties)[1]

        best = jnp.argmin(jnp.sum(jax.lax.map(fold, train), axis=0))
        begin = blank(x, parts)
        _, logits = fit(x, target, prior, parts, last, penalties[best], begin, 3 * steps)
        right = jnp.take_along_axis(target, jnp.argmax(logits, -1)[:, None], -1)[:, 0]
        return best, row_nats(target, logits), right

    return jax.lax.map(one, x)


def blank(x: Float[Array, "n d"], parts: Float[Array, "K F"]) -> Float[Array, "d1 F"]:
    """The weights of a probe that returns the prior; the last row is the bias.

    >>> blank(jnp.ones((10, 3)), jnp.eye(4)).shape
    (4, 4)
    """
    return jnp.zeros((x.shape[1] + 1, parts.shape[1]))


def row_nats(target, logits):
    """Cross-entropy of each row.

    >>> row_nats(jnp.eye(4), jnp.zeros((4, 4))).round(3).tolist()[0]  # ln 4
    1.3860000371932983
    """
    return -jnp.sum(target * jnp.maximum(jax.nn.log_softmax(logits), NEVER), axis=-1)


def fit(
    x: Float[Array, "n d"],
    target: Float[Array, "n K"],
    prior: Float[Array, "n K"],
    parts: Float[Array, "K F"],
    mask: Float[Array, " n"],
    penalty: Float[Array, ""],
    weights: Float[Array, "d1 F"],
    steps: int,
) -> tuple[Float[Array, "d1 F"], Float[Array, "n K"]]:
    """Weights and logits of the probe that minimises

        mean nats of the masked rows + penalty / 2 |W|^2

    by `steps` steps of nonlinear conjugate gradients (Polak and Ribiere) from `weights`. The step
    is Newton's along the direction, which a linear model gives without another pass; a step that
    increases the loss is rejected, and the next is a quarter as long.

    >>> x = jnp.array([[1.0], [-1.0], [1.0], [-1.0]])
    >>> target, parts = jnp.eye(2)[jnp.array([0, 1, 0, 1])], jnp.eye(2)
    >>> begin, mask = blank(x, parts), jnp.ones(4)
    >>> data = x, target, jnp.zeros((4, 2)), parts, mask
    >>> _, logits = jax.jit(partial(fit, steps=10))(*data, 0.01, begin)
    >>> bool(row_nats(target, logits).max() < 0.1)
    True
    """
    x = jnp.concatenate([x, jnp.ones((len(x), 1))], axis=1)
    share = mask / jnp.sum(mask)
    shrink = penalty * jnp.ones((x.shape[1], 1)).at[-1].set(0.0)

    def look(weights, logits):
        p = jax.nn.softmax(logits)
        value = jnp.sum(share * row_nats(target, logits)) + jnp.sum(shrink * weights**2) / 2
        slope = x.T @ ((share[:, None] * (p - target)) @ parts) + shrink * weights
        return value, slope, p

    def one_step(_, at):
        weights, logits, (value, slope, p), direction, trust = at
        move = (x @ direction) @ parts.T
        bend = share @ (jnp.sum(p * move**2, -1) - jnp.sum(p * move, -1) ** 2)
        bend = bend + jnp.sum(shrink * direction**2)
        descent = -jnp.sum(slope * direction)
        size = trust * descent / jnp.maximum(bend, 1e-12)
        new_weights, new_logits = weights + size * direction, logits + size * move
        new = look(new_weights, new_logits)
        good = new[0] <= value
        turn = jnp.sum(new[1] * (new[1] - slope)) / jnp.maximum(jnp.sum(slope**2), 1e-30)
        onward = -new[1] + jnp.maximum(turn, 0.0) * direction
        onward = jnp.where(jnp.sum(onward * new[1]) < 0, onward, -new[1])
        taken = (new_weights, new_logits, new, onward, jnp.minimum(1.0, 2 * trust))
        stayed = (weights, logits, (value, slope, p), -slope, trust / 4)
        return jax.tree.map(partial(jnp.where, good), taken, stayed)

    logits = prior + (x @ weights) @ parts.T
    first = look(weights, logits)
    begin = (weights, logits, first, -first[1], jnp.float32(1.0))
    weights, logits, *_ = jax.lax.fori_loop(0, steps, one_step, begin)
    return weights, logits
