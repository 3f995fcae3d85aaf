"""Do two networks hold the same information? Tests by exchanging states.

stitch, transplant: replaces a network's state with another's, through a map fitted to states only.
A map trained on the task could solve it by itself (Bansal et al. 2021, arXiv 2106.07682), so none
is; the strict map may only rotate, scale and shift.
simulation: from the exact belief to a state, and back (Mikulik et al. 2020, arXiv 2010.11223).
interchange: takes one statistic's component of a state from another history and compares with the
exact answer of the counterfactual history (Geiger et al. 2021, arXiv 2106.02997).

A map is `[p + 1, q]` weights, the last row a constant. A head turns states into probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

PENALTIES = tuple(10.0 ** np.arange(-6, 4))
Map = Float[np.ndarray, "p1 q"]
Head = Callable[[Float[np.ndarray, "n d"]], Float[np.ndarray, "n K"]]


def ridge(
    x: Float[np.ndarray, "n p"],
    y: Float[np.ndarray, "n q"],
    penalties: tuple[float, ...] = PENALTIES,
) -> Map:
    """Ridge regression; the penalty, in units of x's variance, is chosen by leave-one-out error.

    >>> x = np.random.default_rng(0).normal(size=(50, 2))
    >>> ridge(x, x @ [[1.0], [2.0]] + 3).round(3).ravel().tolist()
    [1.0, 2.0, 3.0]
    """
    return ridges(x, [y], penalties)[0]


def ridges(
    x: Float[np.ndarray, "n p"],
    targets: Sequence[Float[np.ndarray, "n q"]],
    penalties: tuple[float, ...] = PENALTIES,
) -> list[Map]:
    """`ridge` from x to each target, each with its own penalty; x is decomposed once."""
    x = np.asarray(x, np.float64)
    at_x = x.mean(axis=0)
    basis, size, axes = np.linalg.svd(x - at_x, full_matrices=False)
    shrinks = [size**2 / (size**2 + p * np.mean(size**2) + 1e-30) for p in penalties]
    left_out = [
        np.maximum(1 - (1 / len(x) + (basis**2) @ shrink), 1e-6)[:, None] for shrink in shrinks
    ]
    maps = []
    for y in targets:
        y = np.asarray(y, np.float64)
        at_y = y.mean(axis=0)
        projected = basis.T @ (y - at_y)
        best, chosen = np.inf, None
        for shrink, share in zip(shrinks, left_out, strict=True):
            error = (y - at_y) - basis @ (shrink[:, None] * projected)
            loss = np.mean((error / share) ** 2)
            if loss < best:
                inverse = shrink / np.where(size > 1e-12 * size[0], size, np.inf)
                best, chosen = loss, axes.T @ (inverse[:, None] * projected)
        maps.append(np.concatenate([chosen, (at_y - at_x @ chosen)[None]]))
    return maps


def rotation(x: Float[np.ndarray, "n d"], y: Float[np.ndarray, "n d"]) -> Map:
    """The rotation, scale and shift that best map x to y (orthogonal Procrustes)."""
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    at_x, at_y = x.mean(axis=0), y.mean(axis=0)
    left, size, right = np.linalg.svd((x - at_x).T @ (y - at_y), full_matrices=False)
    turn = left @ right * (size.sum() / np.sum((x - at_x) ** 2))
    return np.concatenate([turn, (at_y - at_x @ turn)[None]])


def through(weights: Map, x: Float[np.ndarray, "n p"]) -> Float[np.ndarray, "n q"]:
    """Applies the map to x."""
    return np.asarray(x, np.float64) @ weights[:-1] + weights[-1]


def recovery(stitched: float, null: float, own: float) -> float:
    """The value of another network's mapped state as a share of that of the own state: 0 as good as
    no state, 1 as good as its own; NaN where the own state has no value.

    >>> recovery(stitched=-0.5, null=-1.0, own=-0.2)
    0.625
    """
    return (stitched - null) / (own - null) if own != null else float("nan")


def flat(carry: Any) -> Float[np.ndarray, "N d"]:
    """A recurrent state as one row per episode. Raises ValueError if it holds non-real values."""
    leaves = jax.tree.leaves(carry)
    if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise ValueError("only a state of real numbers can be mapped")
    return np.concatenate([np.asarray(leaf).reshape(len(leaf), -1) for leaf in leaves], axis=1)


def unflat(rows: Float[np.ndarray, "N d"], like: Any) -> Any:
    """The inverse of flattening, in the structure of another state of as many episodes."""
    leaves, tree = jax.tree.flatten(like)
    ends = np.cumsum([leaf[0].size for leaf in leaves])
    parts = np.split(np.asarray(rows, np.float32), ends[:-1], axis=1)
    shaped = [jnp.asarray(p).reshape(leaf.shape) for p, leaf in zip(parts, leaves, strict=True)]
    return jax.tree.unflatten(tree, shaped)


def exchanged(
    theirs: Float[np.ndarray, "n p"],
    own: Float[np.ndarray, "n q"],
    worth: Callable[[Float[np.ndarray, "n q"]], Float[np.ndarray, " n"]],
    fit: Callable[[np.ndarray, np.ndarray], Map],
) -> float:
    """The recovery with another's rows through a map fitted on one half and evaluated on the
    other; the null is the mean row, which is uninformative."""
    half = len(own) // 2
    weights = fit(theirs[:half], own[:half])
    nothing = np.broadcast_to(own[:half].mean(axis=0), own.shape)
    rows = (through(weights, theirs), nothing, own)
    return recovery(*(float(np.mean(worth(states)[half:])) for states in rows))


def transplant(
    donor: Any,
    own: Any,
    score: Callable[[Any], Float[Array, " N"]],
    fit: Callable[[np.ndarray, np.ndarray], Map] = ridge,
) -> float:
    """The recovery of a network that continues from another's state of N episodes.

    donor, own: both networks' states after the same steps. score: the network's score in each
    episode when it continues from a state.
    """
    return exchanged(flat(donor), flat(own), lambda rows: score(unflat(rows, own)), fit)


def divergence(
    law: Float[np.ndarray, "n K"], probs: Float[np.ndarray, "n K"]
) -> Float[np.ndarray, " n"]:
    """KL(law || probs) of each row, in nats."""
    ratio = np.log(np.where(law > 0, law, 1.0)) - np.log(np.maximum(probs, 1e-12))
    return np.sum(np.where(law > 0, law * ratio, 0.0), axis=-1)


class Simulation(NamedTuple):
    """net_from_bayes, bayes_from_net: share of variance that one explains linearly of the other.
    nats: KL of the output after the round trip state -> belief -> state from that before."""

    net_from_bayes: float
    bayes_from_net: float
    nats: float


def explained(y: Float[np.ndarray, "n q"], guess: Float[np.ndarray, "n q"]) -> float:
    """The share of the variance of y, all columns together."""
    return float(1 - np.sum((y - guess) ** 2) / np.sum((y - y.mean(axis=0)) ** 2))


def simulation(
    belief: Float[np.ndarray, "n b"], states: Float[np.ndarray, "n d"], head: Head
) -> Simulation:
    """Maps are fitted on one half of the rows and evaluated on the other."""
    half = len(states) // 2
    to_net = ridge(belief[:half], states[:half])
    to_bayes = ridge(states[:half], belief[:half])
    belief, states = belief[half:], np.asarray(states[half:], np.float64)
    back = through(to_net, through(to_bayes, states))
    return Simulation(
        explained(states, through(to_net, belief)),
        explained(belief, through(to_bayes, states)),
        float(divergence(head(states), head(back)).mean()),
    )


class Interchange(NamedTuple):
    """accuracy: how often the likeliest answer is that of the counterfactual history. moved: the
    share of the way to its distribution, 1 - KL after / KL before. by_chance: `moved` for a random
    subspace of the same size."""

    accuracy: float
    moved: float
    by_chance: float


def span(
    statistic: Float[np.ndarray, "n b"], states: Float[np.ndarray, "n d"]
) -> Float[np.ndarray, "d r"]:
    """An orthonormal basis of the directions in which states vary with a statistic: those of the
    regression of states on its features."""
    weights = ridge(statistic, states)[:-1]
    words = np.asarray(statistic, np.float64) - statistic.mean(axis=0)
    _, size, axes = np.linalg.svd(words @ weights, full_matrices=False)
    return axes[size > 1e-3 * size[0]].T


def interchange(
    states: Float[np.ndarray, "n d"],
    content: Float[np.ndarray, "n d"],
    basis: Float[np.ndarray, "d r"],
    law: Callable[[np.ndarray], Float[np.ndarray, "n K"]],
    head: Head,
    seed: int = 0,
) -> Interchange:
    """Replaces each state's component in the basis with that of another history.

    content: the states themselves, or another network's mapped states. law: `[n]` indices of the
    source histories -> the exact answers that would follow.
    """
    generator = np.random.default_rng(seed)
    source = generator.permutation(len(states))
    expected = law(source)
    random = np.linalg.qr(generator.normal(size=basis.shape))[0]
    before = divergence(expected, head(states)).mean()

    def after(basis):
        probs = head(states + (content[source] - states) @ basis @ basis.T)
        return probs, float(1 - divergence(expected, probs).mean() / before)

    probs, moved = after(basis)
    right = np.argmax(probs, axis=-1)[:, None]
    best = np.take_along_axis(expected, right, axis=-1)[:, 0] >= expected.max(axis=-1) - 1e-9
    return Interchange(float(best.mean()), moved, after(random)[1])
