"""The fast loop for models that multiply their state by matrices at every step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool

from agents.memory.scans import Tree, scan, where_start

Gates = dict[str, Array]
Cell = Callable[[Tree, Tree, Gates], tuple[Tree, Tree]]


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def matmul_scan(
    cell: Cell, weights: Gates, theta: Tree, carry: Tree, xs: Gates, start: Bool[Array, "T B"]
) -> tuple[Tree, Tree]:
    """`carry, y[t] = cell(theta, carry, gates)` with `gates[k] = xs[k][t] + h @ weights[k]`.

    h `[B, F]` is the first leaf of `carry`; a tuple of weights is for as many leaves, the products
    summed, and None for a leaf that takes no part. The carry is zero where `start[t]`. A gate that
    is named in `xs` or in `weights` alone is that part alone. `cell` is a module-level function
    of arrays `[B, ...]` without matrix products; `theta` holds its small parameters.

    Autodiff of `lax.scan` adds whole matrices to the gradient at every step. Here the backward
    loop keeps only the gates' gradients, and a weight's gradient is one contraction over T and B
    after it; it stays one under vmap over parameters. Each gate has its own array because
    cutting `[B, 3F]` in the loop costs a CPU as much as the product: XLA does not vectorise it.
    """
    carry, ys, _ = _matmul_scan(cell, weights, theta, carry, xs, start)
    return carry, ys


def _matmul_scan(cell, weights, theta, carry, xs, start):
    multiply, _ = _products(weights)

    def step(carry, inputs):
        x, start_t = inputs
        carry = where_start(start_t, jax.tree.map(jnp.zeros_like, carry), carry)
        products = multiply(jax.tree.leaves(carry))
        sums = {k: product + x[k] if k in x else product for k, product in products.items()}
        new_carry, y = cell(theta, carry, x | sums)
        return new_carry, (y, carry, sums)

    carry, (ys, carries, sums) = scan(step, carry, (xs, start))
    return carry, ys, (carries, xs | sums)


def _matmul_scan_forward(cell, weights, theta, carry, xs, start):
    carry, ys, (carries, gates) = _matmul_scan(cell, weights, theta, carry, xs, start)
    return (carry, ys), (weights, theta, carries, gates, dict.fromkeys(xs), start)


def _matmul_scan_backward(cell, saved, gradients):
    weights, theta, carries, gates, names, start = saved
    d_carry, d_ys = gradients
    _, multiply_back = _products(weights)

    def step(grads, inputs):
        d_carry, d_theta = grads
        d_y, carry, gates, start_t = inputs
        _, pull_back = jax.vjp(cell, theta, carry, gates)
        d_theta_t, d_carry, d_gates = pull_back((d_carry, d_y))
        leaves, treedef = jax.tree.flatten(d_carry)
        for i, d_leaf in multiply_back(d_gates).items():
            leaves[i] += d_leaf
        d_carry = jax.tree.unflatten(treedef, leaves)
        d_carry = where_start(start_t, jax.tree.map(jnp.zeros_like, d_carry), d_carry)
        return (d_carry, jax.tree.map(jnp.add, d_theta, d_theta_t)), d_gates

    (d_carry, d_theta), d_gates = jax.lax.scan(
        step,
        (d_carry, jax.tree.map(jnp.zeros_like, theta)),
        (d_ys, carries, gates, start),
        reverse=True,
    )
    leaves = [_rows(leaf) for leaf in jax.tree.leaves(carries)]

    def d_weight(k, weight):
        d = _rows(d_gates[k])
        if not isinstance(weight, tuple):
            return leaves[0].T @ d
        return tuple(None if w is None else leaves[i].T @ d for i, w in enumerate(weight))

    d_weights = {k: d_weight(k, weight) for k, weight in weights.items()}
    return d_weights, d_theta, d_carry, {k: d_gates[k] for k in names}, None


def _products(weights):
    """`leaves -> {k: their products with weights[k]}` and the same back, `d_gates -> d_leaves`.

    Gates apart on a CPU, where cutting a joint product is slow; one product a leaf on
    accelerators, where each launch costs.
    """
    by_leaf = {}
    for k, weight in weights.items():
        for i, w in enumerate(weight if isinstance(weight, tuple) else (weight,)):
            if w is not None:
                by_leaf.setdefault(i, {})[k] = w
    apart = jax.default_backend() == "cpu"
    pairs = {i: (_apart if apart else _joint)(matrices) for i, matrices in by_leaf.items()}

    def multiply(leaves):
        sums = {}
        for i, (products, _) in pairs.items():
            for k, product in products(leaves[i]).items():
                sums[k] = sums[k] + product if k in sums else product
        return sums

    return multiply, lambda d_gates: {i: back(d_gates) for i, (_, back) in pairs.items()}


def _apart(weights):
    transposed = {k: weight.T for k, weight in weights.items()}
    return (
        lambda h: {k: h @ weight for k, weight in weights.items()},
        lambda d_gates: sum(d_gates[k] @ weight for k, weight in transposed.items()),
    )


def _joint(weights):
    joint = jnp.concatenate(list(weights.values()), axis=1)
    ends = np.cumsum([weight.shape[1] for weight in weights.values()])[:-1]
    return (
        lambda h: dict(zip(weights, jnp.split(h @ joint, ends, axis=-1), strict=True)),
        lambda d_gates: jnp.concatenate([d_gates[k] for k in weights], axis=-1) @ joint.T,
    )


def _rows(x):
    return x.reshape(-1, x.shape[-1])


matmul_scan.defvjp(_matmul_scan_forward, _matmul_scan_backward)
