"""HiPPO-LegS, the state matrix that remembers a whole history, and its normal part.

    A[n, k] = -sqrt((2n + 1)(2k + 1)) if n > k,   -(n + 1) if n = k,   0 if n < k
    A = N - P P^T,   P[n] = sqrt(n + 1/2),   N = -I/2 + a skew-symmetric matrix (HiPPO-N)

(Gu et al. 2020, arXiv 2008.07669; Gu et al. 2022, arXiv 2111.00396, appendix C.1.) N is normal, so
its eigenvectors are unitary; those of A grow exponentially with its size and are of no use.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Complex, Float


def legs(size: int) -> Float[np.ndarray, "N N"]:
    """HiPPO-LegS itself."""
    root = np.sqrt(2 * np.arange(size) + 1.0)
    return -np.tril(np.outer(root, root), -1) - np.diag(np.arange(size) + 1.0)


def low_rank(size: int) -> Float[np.ndarray, " N"]:
    """P of `legs = normal - P P^T`."""
    return np.sqrt(np.arange(size) + 0.5)


def normal(size: int) -> Float[np.ndarray, "N N"]:
    """HiPPO-N, the normal part."""
    return legs(size) + np.outer(low_rank(size), low_rank(size))


def eigen(size: int) -> tuple[Complex[np.ndarray, " N_2"], Complex[np.ndarray, "N N_2"]]:
    """Eigenvalues of HiPPO-N with positive imaginary part, rising, and their eigenvectors.

    The other half are the conjugates. `size` is even.
    """
    if size % 2:
        raise ValueError(f"size={size} is odd: eigenvalues come in conjugate pairs")
    skew = normal(size) + np.eye(size) / 2
    frequencies, vectors = np.linalg.eigh(-1j * skew)
    return -0.5 + 1j * frequencies[size // 2 :], vectors[:, size // 2 :]
