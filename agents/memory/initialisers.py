"""What weights begin as: orthogonal matrices from matrix products alone, rates and step sizes.

`flax.linen.initializers.orthogonal` takes a QR decomposition. Batched by vmap over seeds, that
LAPACK call can wait for ever on XLA's CPU thread pool (seen with jaxlib 0.10.2 on two cores), and
it is most of the compile time of a network's `init`. The polar factor of a Gaussian matrix has the
same uniform law and needs only products.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

ITERATIONS = 40


def orthogonal(scale: float = 1.0) -> Callable[..., Float[Array, "rows columns"]]:
    """An initialiser: rows or columns, whichever are fewer, are orthogonal and of length `scale`.

    The polar factor by Newton and Schulz's iteration `x <- 1.5 x - 0.5 x x' x` (Higham 2008,
    Functions of Matrices, section 8.3), which converges from any norm below the square root of 3.

    >>> w = orthogonal()(jax.random.key(0), (8, 8))
    >>> bool(jnp.allclose(w @ w.T, jnp.eye(8), atol=1e-5))
    True
    """

    def init(key: Key[Array, ""], shape: tuple[int, int], dtype=jnp.float32):
        rows, columns = shape
        x = jax.random.normal(key, (min(shape), max(shape)), dtype)
        x = x / (jnp.sqrt(rows) + jnp.sqrt(columns))  # the largest singular value is near 1

        def iterate(_, x):
            return 1.5 * x - 0.5 * (x @ x.T) @ x

        x = jax.lax.fori_loop(0, ITERATIONS, iterate, x)
        return scale * (x if rows <= columns else x.T)

    return init


def orthogonal_blocks(key: Key[Array, ""], shape: tuple[int, int], dtype=jnp.float32):
    """Square orthogonal matrices side by side, one for each gate."""
    rows, columns = shape
    keys = jax.random.split(key, columns // rows)
    blocks = jax.vmap(lambda k: orthogonal()(k, (rows, rows), dtype))(keys)
    return jnp.moveaxis(blocks, 0, 1).reshape(shape)


def log_rates(key, shape, dtype=jnp.float32):
    """The logarithm of rates spread evenly between 1 and 16."""
    return jnp.log(jax.random.uniform(key, shape, dtype, 1.0, 16.0))


def inverse_softplus_of_steps(key, shape, dtype=jnp.float32):
    """Biases whose softplus lies between 0.001 and 0.1, evenly on a logarithmic scale."""
    step = jnp.exp(jax.random.uniform(key, shape, dtype, jnp.log(0.001), jnp.log(0.1)))
    return step + jnp.log(-jnp.expm1(-step))
