"""The selective scan of Mamba: a diagonal state whose decay, input and read-out depend on time.

Neither way through time ever holds the states of more than a chunk of steps: the gradient keeps
those at the chunks' borders and computes the others again.
"""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from agents.memory.chunks import chunked_scan
from agents.memory.scans import linear_scan, where_start

CHUNK = 16  # time steps


def selective_scan(
    rate: Float[Array, "N F"],
    delta: Float[Array, "T B F"],
    x: Float[Array, "T B F"],
    b: Float[Array, "T B N"],
    c: Float[Array, "T B N"],
    carry: Float[Array, "B N F"],
    start: Bool[Array, "T B"],
    mode: str = "auto",
) -> tuple[Float[Array, "B N F"], Float[Array, "T B F"]]:
    """`h[t] = exp(-delta[t] rate) h[t-1] + delta[t] x[t] b[t]` and `y[t] = sum_n c[t, n] h[t, n]`.

    mode: "recurrent" computes decays and inputs of a step in the step; "parallel" is an
    associative scan in each chunk; "auto" the first on a CPU and the second elsewhere. Both
    O(T N F) work.
    """
    xs = (delta, delta * x, b, c)
    if len(start) == 1:
        carry, y = _step(rate, carry, (*jax.tree.map(lambda leaf: leaf[0], xs), start[0]))
        return carry, y[None]
    loop = mode == "recurrent" or (mode == "auto" and jax.default_backend() == "cpu")
    chunk = _recurrent_chunk if loop else _parallel_chunk

    def one_chunk(carry, xs, segment):
        fresh = jnp.diff(segment, axis=0, prepend=0) > 0
        return chunk(rate, carry, (*xs, fresh))

    return chunked_scan(one_chunk, carry, xs, start, min(CHUNK, len(start)))


def _next_state(rate, h, inputs):
    delta, x, b, _, fresh = inputs
    past = where_start(fresh, jnp.zeros_like(h), h)
    return jnp.exp(-delta[:, None] * rate) * past + x[:, None] * b[..., None]


def _step(rate, h, inputs):
    h = _next_state(rate, h, inputs)
    return h, jnp.einsum("bnf,bn->bf", h, inputs[3])


def _parallel_chunk(rate, h, xs):
    delta, x, b, c, fresh = xs
    decay = jnp.exp(-delta[:, :, None] * rate)
    h = linear_scan(decay, x[:, :, None] * b[..., None], h, fresh, mode="parallel")
    return h[-1], jnp.einsum("tbnf,tbn->tbf", h, c)


@jax.custom_vjp
def _recurrent_chunk(rate, h, xs):
    return jax.lax.scan(partial(_step, rate), h, xs)


def _recurrent_chunk_forward(rate, h, xs):
    return _recurrent_chunk(rate, h, xs), (rate, h, xs)


def _recurrent_chunk_backward(saved, gradients):
    """Autodiff would store decays and inputs of all steps as well as the states."""
    rate, first, xs = saved
    d_h, d_y = gradients

    def keep(h, inputs):
        h = _next_state(rate, h, inputs)
        return h, h

    _, states = jax.lax.scan(keep, first, xs)
    before = jnp.concatenate([first[None], states[:-1]])

    def step(carry, inputs):
        d_h, d_rate = carry
        (delta, x, b, c, fresh), before, d_y = inputs
        d_h = d_h + d_y[:, None] * c[..., None]
        d_x = jnp.einsum("bnf,bn->bf", d_h, b)
        d_b = jnp.einsum("bnf,bf->bn", d_h, x)
        d_h = jnp.exp(-delta[:, None] * rate) * d_h
        d_h, before = where_start(fresh, jax.tree.map(jnp.zeros_like, (d_h, d_h)), (d_h, before))
        d_exponent = d_h * before
        d_delta = -jnp.sum(d_exponent * rate, axis=1)
        d_rate = d_rate - jnp.sum(d_exponent * delta[:, None], axis=0)
        return (d_h, d_rate), (d_delta, d_x, d_b)

    carry = (d_h, jnp.zeros_like(rate))
    (d_h, d_rate), d_xs = jax.lax.scan(step, carry, (xs, before, d_y), reverse=True)
    d_c = jnp.einsum("tbnf,tbf->tbn", states, d_y)
    return d_rate, d_h, (*d_xs, d_c, None)


_recurrent_chunk.defvjp(_recurrent_chunk_forward, _recurrent_chunk_backward)
