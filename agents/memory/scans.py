"""The ways through time that the memory models share, all with resets inside.

`recurrent_scan` is the plain loop, right for any step. `matmul_scan` is the fast loop for models
that multiply their hidden state by a matrix at every step: its gradient forms the matrix's
gradient in one product after the backward loop. `linear_scan` runs `h = a * h + b` in parallel.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

Tree = Any


def where_start(start: Bool[Array, " B"], initial: Tree, carry: Tree) -> Tree:
    """`initial` in the sequences that begin, `carry` in the others; leaves lead with `[B]`."""

    def choose(new, old):
        return jnp.where(start.reshape(start.shape + (1,) * (old.ndim - start.ndim)), new, old)

    return jax.tree.map(choose, initial, carry)


def recurrent_scan(
    step: Callable[[Tree, Tree], tuple[Tree, Tree]],
    initial: Tree,
    carry: Tree,
    xs: Tree,
    start: Bool[Array, "T B"],
    unroll: int = 1,
) -> tuple[Tree, Tree]:
    """`carry, y[t] = step(carry, xs[t])` for each t, `carry` being `initial` where `start[t]`.

    `step` works on arrays `[B, ...]` and must not call Linen submodules.
    """

    def reset_and_step(carry, inputs):
        x, start_t = inputs
        return step(where_start(start_t, initial, carry), x)

    if start.shape[0] == 1:  # a rollout's step: no loop to compile
        x, start_t = jax.tree.map(lambda leaf: leaf[0], (xs, start))
        carry, y = reset_and_step(carry, (x, start_t))
        return carry, jax.tree.map(lambda leaf: leaf[None], y)
    return jax.lax.scan(reset_and_step, carry, (xs, start), unroll=unroll)


Cell = Callable[[Tree, Tree, Tree, Array], tuple[Tree, Tree]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def matmul_scan(
    cell: Cell, weight: Array, theta: Tree, carry: Tree, xs: Tree, start: Bool[Array, "T B"]
) -> tuple[Tree, Tree]:
    """`carry, y[t] = cell(theta, carry, xs[t], h @ weight)` with `h` the first leaf of `carry`.

    The carry is zero where `start[t]`. `cell` is a module-level function of arrays `[B, ...]` that
    does no matrix products of its own; `theta` holds its small parameters (biases, scales).

    Autodiff of `lax.scan` adds a whole matrix to the gradient at every step. Here the backward
    loop keeps only the gradients of the products, and the matrix's gradient is one contraction
    over T and B after it; it stays one under vmap over parameters.
    """
    carry, ys, _ = _matmul_scan(cell, weight, theta, carry, xs, start)
    return carry, ys


def _matmul_scan(cell, weight, theta, carry, xs, start):
    def step(carry, inputs):
        x, start_t = inputs
        carry = where_start(start_t, jax.tree.map(jnp.zeros_like, carry), carry)
        product = jax.tree.leaves(carry)[0] @ weight
        new_carry, y = cell(theta, carry, x, product)
        return new_carry, (y, carry, product)

    if start.shape[0] == 1:
        x, start_t = jax.tree.map(lambda leaf: leaf[0], (xs, start))
        carry, out = step(carry, (x, start_t))
        ys, carries, products = jax.tree.map(lambda leaf: leaf[None], out)
    else:
        carry, (ys, carries, products) = jax.lax.scan(step, carry, (xs, start))
    return carry, ys, (carries, products)


def _matmul_scan_forward(cell, weight, theta, carry, xs, start):
    carry, ys, (carries, products) = _matmul_scan(cell, weight, theta, carry, xs, start)
    return (carry, ys), (weight, theta, carries, products, xs, start)


def _matmul_scan_backward(cell, saved, gradients):
    weight, theta, carries, products, xs, start = saved
    d_carry, d_ys = gradients

    def step(grads, inputs):
        d_carry, d_theta = grads
        d_y, carry, x, product, start_t = inputs
        _, pull_back = jax.vjp(cell, theta, carry, x, product)
        d_theta_t, d_carry, d_x, d_product = pull_back((d_carry, d_y))
        leaves, treedef = jax.tree.flatten(d_carry)
        leaves[0] = leaves[0] + d_product @ weight.T
        d_carry = jax.tree.unflatten(treedef, leaves)
        d_carry = where_start(start_t, jax.tree.map(jnp.zeros_like, d_carry), d_carry)
        return (d_carry, jax.tree.map(jnp.add, d_theta, d_theta_t)), (d_x, d_product)

    (d_carry, d_theta), (d_xs, d_products) = jax.lax.scan(
        step,
        (d_carry, jax.tree.map(jnp.zeros_like, theta)),
        (d_ys, carries, xs, products, start),
        reverse=True,
    )
    hidden = jax.tree.leaves(carries)[0]
    d_weight = jnp.einsum("tbi,tbj->ij", hidden, d_products)
    return d_weight, d_theta, d_carry, d_xs, None


matmul_scan.defvjp(_matmul_scan_forward, _matmul_scan_backward)


def linear_scan(decay: Array, inputs: Array, carry: Array, start: Bool[Array, "T B"]) -> Array:
    """All of `h[t] = decay[t] * h[t-1] + inputs[t]`, elementwise and in parallel.

    decay, inputs: `[T, B, ...]`, `decay` broadcast against `inputs`. carry: `[B, ...]`, `h[-1]`;
    where `start[t]` the past is dropped, whatever it holds (even infinities). The last state is
    `h[-1]` of the result. Method: Blelloch 1990; with resets, Lu et al. 2023 (arXiv 2303.03982).
    """
    decay = jnp.broadcast_to(decay, inputs.shape)
    fresh = start.reshape(start.shape + (1,) * (inputs.ndim - 2))
    past = jnp.where(fresh[0], 0.0, decay[0] * jnp.where(fresh[0], 0.0, carry))
    inputs = inputs.at[0].add(past)
    decay = jnp.where(fresh, 0.0, decay)

    def combine(left, right):
        return left[0] * right[0], right[0] * left[1] + right[1]

    return jax.lax.associative_scan(combine, (decay, inputs))[1]
