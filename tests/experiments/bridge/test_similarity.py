"""Measures of likeness beside SciPy, scikit-learn, rsatoolbox and their closed forms."""

import numpy as np
import pytest
import rsatoolbox
from scipy.linalg import orthogonal_procrustes
from sklearn.cross_decomposition import CCA
from sklearn.neighbors import NearestNeighbors

from experiments.bridge.measures import similarity
from experiments.bridge.measures.similarity import MEASURES, cka, procrustes


@pytest.fixture(scope="module")
def pair():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(300, 6)) * [3, 2, 1, 1, 0.5, 0.5]
    return x, x @ draw.normal(size=(6, 5)) + draw.normal(size=(300, 5))


def test_debiased_cka_is_its_gram_form(pair):
    """Song et al. 2012, equation 5, on n x n kernels with empty diagonals."""

    def gram(x, y):
        n, one = len(x), np.ones(len(x))
        k, l = x @ x.T, y @ y.T
        np.fill_diagonal(k, 0)
        np.fill_diagonal(l, 0)
        total = np.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / (n - 1) / (n - 2)
        return (total - 2 / (n - 2) * one @ k @ l @ one) / (n * (n - 3))

    x, y = (s - s.mean(0) for s in pair)
    assert similarity.hsic(x, y) == pytest.approx(gram(x, y), rel=1e-9)
    assert cka(x, y) == pytest.approx(gram(x, y) / np.sqrt(gram(x, x) * gram(y, y)), rel=1e-9)
    shift = pair[0] + 10, pair[1] - 3
    assert cka(*shift) == pytest.approx(cka(*pair), rel=1e-9), "centred or not"


@pytest.mark.parametrize(("n", "biased"), [(100, 0.558), (1000, 0.115), (4000, 0.031)])
def test_independent_states_are_not_alike(n, biased):
    """128 independent Gaussians beside 128 others."""
    draw = np.random.default_rng(n)
    x, y = draw.normal(size=(2, n, 128))
    assert cka(x, y, debiased=False) == pytest.approx(biased, abs=0.02)
    assert abs(cka(x, y)) < 0.03


def test_procrustes_is_scipys(pair):
    x, y = (s - s.mean(0) for s in pair)
    x, y = x / np.linalg.norm(x), y / np.linalg.norm(y)
    turn, total = orthogonal_procrustes(x, np.pad(y, ((0, 0), (0, 1))))
    assert procrustes(*pair) == pytest.approx(total, rel=1e-9)
    distance = np.linalg.norm(x @ turn - np.pad(y, ((0, 0), (0, 1))))
    assert procrustes(*pair) == pytest.approx(1 - distance**2 / 2, rel=1e-9)


def test_canonical_correlations_are_scikit_learns(pair):
    x, y = pair
    cca = CCA(n_components=5, max_iter=5000, tol=1e-12).fit(x, y)
    pairs = zip(*map(np.transpose, cca.transform(x, y)), strict=True)
    theirs = [np.corrcoef(a, b)[0, 1] for a, b in pairs]
    rho, variates = similarity.canonical(x, y, variance=1.0)
    np.testing.assert_allclose(np.sort(rho), np.sort(theirs), atol=1e-4)
    weight = np.abs(variates.T @ (x - x.mean(0))).sum(1)
    assert similarity.pwcca(x, y, 1.0) == pytest.approx(np.average(rho, weights=weight))
    assert similarity.svcca(x, y, 1.0) == pytest.approx(np.mean(theirs), abs=1e-4)


@pytest.mark.parametrize("kind", ["correlation", "euclidean"])
def test_rsa_is_rsatoolboxs(pair, kind):
    sets = [rsatoolbox.data.Dataset(s[:80]) for s in pair]
    tables = [rsatoolbox.rdm.calc_rdm(one, method=kind) for one in sets]
    theirs = rsatoolbox.rdm.compare(*tables, method="spearman")
    ours = similarity.rsa(*pair, kind=kind, rows=80)
    assert ours == pytest.approx(theirs.item(), abs=1e-9)


def test_neighbours_are_scikit_learns(pair):
    near = []
    for s in pair:
        s = s - s.mean(0)
        nearest = NearestNeighbors(n_neighbors=11, metric="cosine").fit(s)
        near.append([set(row[1:]) for row in nearest.kneighbors(s, return_distance=False)])
    shared = np.mean([len(a & b) / 10 for a, b in zip(*near, strict=True)])
    assert similarity.mutual_knn(*pair) == pytest.approx(shared)


def test_alignment_of_all_neighbours_is_that_of_kernels(pair):
    x, y = (s / np.linalg.norm(s - s.mean(0), axis=1).mean() for s in pair)
    assert similarity.cknna(*pair, k=299) == pytest.approx(cka(x, y), rel=1e-9)
    assert similarity.cknna(pair[0], 2 * pair[0]) == pytest.approx(1)


@pytest.mark.parametrize("name", MEASURES)
def test_rotated_and_scaled_states_are_the_same(pair, name):
    x = pair[0]
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    if name != "RSA":  # by correlation over units, which belongs to their basis
        assert MEASURES[name](x, 2 * x @ turn + 1) == pytest.approx(1, abs=1e-9)
    unrelated = np.random.default_rng(2).normal(size=x.shape)
    assert MEASURES[name](x, unrelated) < 0.35


def test_residual_states_share_neither_clock_nor_token():
    """Two networks that know nothing but both are alike, until both are taken out."""
    draw = np.random.default_rng(3)
    t, token = draw.integers(15, size=4000), draw.integers(4, size=4000)
    known = np.eye(15)[t] + np.pad(np.eye(4)[token], ((0, 0), (0, 11)))
    x, y = (known @ draw.normal(size=(15, 20)) + draw.normal(size=(4000, 20)) for _ in range(2))
    assert cka(x, y) > 0.3
    left = [similarity.residual(s, t, token) for s in (x, y)]
    assert abs(cka(*left)) < 0.02
    by_regression = np.eye(60)[4 * t + token]
    fitted = by_regression @ np.linalg.lstsq(by_regression, x, rcond=None)[0]
    np.testing.assert_allclose(left[0], x - fitted, atol=1e-9)


def test_equal_histories_count_once():
    rows = np.array([[1, 2], [0, 1], [1, 2], [0, 1], [3, 3]])
    assert similarity.distinct(rows).tolist() == [0, 1, 4]
