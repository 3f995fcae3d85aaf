"""How similar two networks' states are on the same n inputs: seven measures.

Rows are inputs, columns are units. All work in float64 and centre the columns themselves. Two
networks that both encode the clock and the current token are similar for that alone, so headlines
use `residual` states (Kornblith et al. 2019, arXiv 1905.00414, and the papers named below).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int
from scipy.stats import rankdata

States = Float[np.ndarray, "n p"]
Measure = Callable[[States, States], float]


def centred(x: States) -> States:
    x = np.asarray(x, np.float64)
    return x - x.mean(axis=0)


def residual(x: States, *given: Int[np.ndarray, " n"]) -> States:
    """Residuals of a regression on all combinations of the given labels: each row minus the mean of
    the rows with the same labels.

    >>> residual(np.array([[1.0], [3.0], [8.0]]), np.array([0, 0, 1])).tolist()
    [[-1.0], [1.0], [0.0]]
    """
    x = np.asarray(x, np.float64)
    labels = np.unique(np.stack(given, axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    sums = np.zeros((labels.max() + 1, x.shape[1]))
    np.add.at(sums, labels, x)
    return x - (sums / np.bincount(labels)[:, None])[labels]


def distinct(rows: np.ndarray) -> Int[np.ndarray, " m"]:
    """The first index of each distinct row: equal histories would be each other's neighbours."""
    return np.sort(np.unique(rows, axis=0, return_index=True)[1])


def hsic(x: States, y: States) -> float:
    """The unbiased estimate of the Hilbert-Schmidt independence criterion of linear kernels (Song
    et al. 2012; the form of Murphy et al. 2024, arXiv 2405.01012), without an n x n matrix."""
    x, y = centred(x), centred(y)
    n = len(x)
    a, b = np.sum(x**2, axis=1), np.sum(y**2, axis=1)
    k, l = x @ x.sum(axis=0) - a, y @ y.sum(axis=0) - b
    total = np.sum((x.T @ y) ** 2) - a @ b
    total += k.sum() * l.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (k @ l)
    return float(total / (n * (n - 3)))


def cka(x: States, y: States, debiased: bool = True) -> float:
    """Linear centred kernel alignment. Debiased, it is about 0 for independent states of any width
    and may be negative.

    >>> x = np.random.default_rng(0).normal(size=(50, 4))
    >>> round(cka(x, 3 * x + 1), 6), round(cka(x, x, debiased=False), 6)
    (1.0, 1.0)
    """
    if debiased:
        return float(hsic(x, y) / np.sqrt(hsic(x, x) * hsic(y, y)))
    x, y = centred(x), centred(y)
    together = np.sum((x.T @ y) ** 2)
    return float(together / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y))


def procrustes(x: States, y: States) -> float:
    """`1 - d^2 / 2`, d the least distance of two states of unit norm under a rotation: the nuclear
    norm of X'Y, from 0 to 1. Its arc cosine is the angular metric (Williams et al. 2021, arXiv
    2110.14739)."""
    x, y = centred(x), centred(y)
    return float(np.linalg.norm(x.T @ y, ord="nuc") / np.linalg.norm(x) / np.linalg.norm(y))


def principal(x: States, variance: float = 0.99) -> States:
    """An orthonormal basis of the principal components that hold so much of the variance."""
    basis, size, _ = np.linalg.svd(centred(x), full_matrices=False)
    share = np.cumsum(size**2) / np.sum(size**2)
    return basis[:, : np.searchsorted(share, variance - 1e-12) + 1]


def canonical(x: States, y: States, variance: float = 0.99) -> tuple[np.ndarray, States]:
    """Canonical correlations of the principal parts, and x's canonical variates. Inflated unless n
    is at least 20 times the width."""
    mine, other = principal(x, variance), principal(y, variance)
    turn, rho, _ = np.linalg.svd(mine.T @ other, full_matrices=False)
    return np.minimum(rho, 1.0), mine @ turn


def svcca(x: States, y: States, variance: float = 0.99) -> float:
    """The mean canonical correlation (Raghu et al. 2017, arXiv 1706.05806)."""
    return float(canonical(x, y, variance)[0].mean())


def pwcca(x: States, y: States, variance: float = 0.99) -> float:
    """The mean canonical correlation, each weighted by how much of x it accounts for (Morcos et
    al. 2018, arXiv 1806.05759). Not symmetric."""
    rho, variates = canonical(x, y, variance)
    weight = np.sum(np.abs(variates.T @ centred(x)), axis=1)
    return float(weight @ rho / weight.sum())


def distances(x: States, kind: str = "correlation") -> Float[np.ndarray, " pairs"]:
    """Distances of all pairs of rows: 1 - Pearson's correlation, or squared Euclidean."""
    x = np.asarray(x, np.float64)
    if kind == "correlation":
        x = x - x.mean(axis=1, keepdims=True)
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
        matrix = 1 - x @ x.T
    else:
        size = np.sum(x**2, axis=1)
        matrix = size[:, None] + size - 2 * x @ x.T
    return matrix[np.triu_indices(len(x), 1)]


def rsa(x: States, y: States, kind: str = "correlation", rows: int = 512) -> float:
    """Representational similarity analysis: Spearman's correlation of the distances of pairs, of
    the first `rows` rows (Kriegeskorte et al. 2008)."""
    ranks = [rankdata(distances(s[:rows], kind)) for s in (x, y)]
    return float(np.corrcoef(*ranks)[0, 1])


def neighbours(x: States, k: int) -> Int[np.ndarray, "n k"]:
    """The k rows with the largest cosine to each row, not itself."""
    x = centred(x)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-300)
    near = x @ x.T
    np.fill_diagonal(near, -np.inf)
    return np.argpartition(-near, k - 1, axis=1)[:, :k]


def neighbourhood(x: States, k: int) -> np.ndarray:
    """`[n, n]` bool: whether row j is a neighbour of row i."""
    near = np.zeros((len(x), len(x)), bool)
    np.put_along_axis(near, neighbours(x, k), True, axis=1)
    return near


def mutual_knn(x: States, y: States, k: int = 10) -> float:
    """The share of common neighbours, k / (n - 1) by chance (Huh et al. 2024, arXiv 2405.07987)."""
    return float(np.sum(neighbourhood(x, k) & neighbourhood(y, k)) / (k * len(x)))


def cknna(x: States, y: States, k: int = 10) -> float:
    """Kernel alignment restricted to pairs that are neighbours in both (Huh et al. 2024)."""
    near_x, near_y = neighbourhood(x, k), neighbourhood(y, k)
    gram_x, gram_y = ((s / np.linalg.norm(s, axis=1).mean()) for s in (centred(x), centred(y)))
    gram_x, gram_y = gram_x @ gram_x.T, gram_y @ gram_y.T

    def aligned(a, b, near):
        return masked_hsic(a * near, b * near)

    both = aligned(gram_x, gram_y, near_x & near_y)
    alone = aligned(gram_x, gram_x, near_x) * aligned(gram_y, gram_y, near_y)
    return float(both / np.sqrt(alone))


def masked_hsic(a: Float[np.ndarray, "n n"], b: Float[np.ndarray, "n n"]) -> float:
    """The unbiased estimate of `hsic` from kernel matrices without diagonal."""
    n = len(a)
    total = np.sum(a * b) + a.sum() * b.sum() / ((n - 1) * (n - 2))
    total -= 2 / (n - 2) * np.sum(a.sum(axis=0) * b.sum(axis=0))
    return float(total / (n * (n - 3)))


def matrix(measure: Measure, states: Sequence[States]) -> Float[np.ndarray, "M M"]:
    """The measure of all pairs: in both directions for PWCCA, which is not symmetric; for CKA the
    norm of each network is computed once.

    >>> x = np.random.default_rng(0).normal(size=(30, 2))
    >>> matrix(cka, [x, -x]).round(6).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    M = len(states)
    values = np.empty((M, M))
    for i in range(M):
        for j in range(M if measure is pwcca else i + 1):
            values[i, j] = (hsic if measure is cka else measure)(states[i], states[j])
    if measure is not pwcca:
        values = np.tril(values) + np.tril(values, -1).T
    norm = np.sqrt(np.diag(values))
    return values / norm[:, None] / norm if measure is cka else values


MEASURES: dict[str, Measure] = {
    "CKA": cka,
    "Procrustes": procrustes,
    "SVCCA": svcca,
    "PWCCA": pwcca,
    "RSA": rsa,
    "mutual k-NN": mutual_knn,
    "CKNNA": cknna,
}
"""The first two are the primary ones."""
