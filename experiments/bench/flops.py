"""How much a program has to multiply: floating-point operations of its matrix products."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax


def product_flops(function: Callable[..., Any], *args: Any) -> int:
    """Multiplications and additions of all matrix products and convolutions of a call.

    Counted from the traced program, loops as often as they run (XLA's own count takes each loop
    once). All else, which is little in a network, is left out; so are products inside a `while`
    whose length is not known. Of the branches of a `cond` the dearest counts.

    >>> import jax.numpy as jnp
    >>> a, b = jnp.ones((2, 3)), jnp.ones((3, 5))
    >>> product_flops(lambda a, b: jax.lax.scan(lambda c, _: (c, a @ b), 0, length=10), a, b)
    600
    """
    return _count(jax.make_jaxpr(function)(*args).jaxpr)


def _count(jaxpr) -> int:
    return sum(_count_one(equation) for equation in jaxpr.eqns)


def _count_one(equation) -> int:
    name, params = equation.primitive.name, equation.params
    if name == "dot_general":
        (contracted, _), _ = params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return 2 * equation.outvars[0].aval.size * math.prod(shape[i] for i in contracted)
    if name == "conv_general_dilated":
        kernel = equation.invars[1].aval.shape
        per_output = math.prod(kernel) // kernel[params["dimension_numbers"].rhs_spec[0]]
        return 2 * equation.outvars[0].aval.size * per_output
    if name == "while":
        return 0
    inner = [_count(jaxpr) for jaxpr in jax.core.jaxprs_in_params(params)]
    if name == "cond":
        return max(inner)
    return params.get("length", 1) * sum(inner) if name == "scan" else sum(inner)
