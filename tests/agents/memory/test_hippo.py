"""The HiPPO matrices in closed form."""

import numpy as np
import pytest

from agents.memory import hippo


def test_legs_entry_by_entry():
    matrix = hippo.legs(9)
    for n in range(9):
        for k in range(9):
            want = -np.sqrt((2 * n + 1) * (2 * k + 1)) if n > k else -(n + 1.0) if n == k else 0.0
            assert matrix[n, k] == pytest.approx(want)


def test_legs_approximates_the_history():
    """The state of dx/dt = (A x + B u) / t holds the Legendre coefficients of u on [0, t]."""
    size, steps = 6, 20_000
    b = np.sqrt(2 * np.arange(size) + 1)
    state = np.zeros(size)
    for t in range(1, steps + 1):  # backward Euler; u(t) = (t / steps)^2
        system = np.eye(size) - hippo.legs(size) / t
        state = np.linalg.solve(system, state + b * (t / steps) ** 2 / t)
    coefficients = np.polynomial.legendre.Legendre.basis  # of x^2 on [0, 1], orthonormal
    x = np.linspace(0, 1, 100_001)
    want = [np.trapezoid(x**2 * coefficients(n)(2 * x - 1) * b[n], x) for n in range(size)]
    np.testing.assert_allclose(state, want, atol=1e-3)


@pytest.mark.parametrize("size", [2, 16, 64])
def test_diagonal_plus_low_rank(size):
    values, vectors = hippo.eigen(size)
    values, vectors = np.append(values, values.conj()), np.hstack([vectors, vectors.conj()])
    np.testing.assert_allclose(vectors @ vectors.conj().T, np.eye(size), atol=1e-10)
    normal = (vectors * values) @ vectors.conj().T
    p = hippo.low_rank(size)
    np.testing.assert_allclose(normal - np.outer(p, p), hippo.legs(size), atol=1e-9)
    np.testing.assert_allclose(values.real, -0.5)
    assert (hippo.eigen(size)[0].imag > 0).all()


def test_odd_sizes_have_no_pairs():
    with pytest.raises(ValueError, match="odd"):
        hippo.eigen(3)
