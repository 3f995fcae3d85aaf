"""A weight's gradient is one product over time and sequences, not one a step, under vmap too.

Read off the traced gradient: what a loop's body multiplies, and what stands outside of loops.
"""

import math

import jax
import jax.numpy as jnp
import pytest

from agents.memory import MEMORIES

T, B, LANES, FEATURES = 12, 6, 3, 8


def products(jaxpr, in_loop=False):
    """For each matrix product: is it in a loop, over how many numbers does it sum, how many sums
    does it make."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            shape = equation.invars[0].aval.shape
            terms = math.prod(shape[i] for i in contracted)
            yield in_loop, terms, equation.outvars[0].aval.size
        inside = in_loop or equation.primitive.name in ("scan", "while")
        for inner in jax.core.jaxprs_in_params(equation.params):
            yield from products(inner, inside)


@pytest.mark.parametrize("name", ["gru", "lstm", "elman"])
def test_a_weight_has_one_gradient_product(name):
    memory = MEMORIES[name](FEATURES)
    x, start, carry = jnp.ones((T, B, FEATURES)), jnp.zeros((T, B), bool), memory.initial_carry(B)
    lane = jax.eval_shape(memory.init, jax.random.key(0), carry, x, start)
    lanes = jax.tree.map(lambda p: jax.ShapeDtypeStruct((LANES, *p.shape), p.dtype), lane)

    def loss(params):
        return jnp.sum(memory.apply(params, carry, x, start)[1])

    found = list(products(jax.make_jaxpr(jax.vmap(jax.grad(loss)))(lanes).jaxpr))
    weights = sum(p.size for p in jax.tree.leaves(lanes) if p.ndim == 3)
    assert sum(sums for in_loop, terms, sums in found if terms == T * B and not in_loop) == weights
    assert not [1 for in_loop, terms, _ in found if terms == B and in_loop]
