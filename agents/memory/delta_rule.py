"""The delta rule, one step after the other or in chunks: what is written replaces what was there.

    S' = a S + beta k (v - a S^T k)^T       y = S'^T q       a = exp(log_decay) <= 1

per head, with S `[K, V]`. In a chunk, with u[i] = beta[i] (v[i] - a S^T k[i]) what step i writes, S
is the old state and a sum of k[j] u[j]^T, all decayed, and the u solve a triangular system of the
products of the chunk's keys (WY form; Yang et al. 2024, arXiv 2406.06484 and 2412.06464).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from agents.memory.broken import broken, finite, from_then_on
from agents.memory.chunks import segment_sums
from agents.memory.triangular import solve

Inputs = tuple[Array, Array, Array, Array, Array]
"""query, key `[C, B, H, K]`, value `[C, B, H, V]`, beta, log_decay `[C, B, H, 1]`."""


def delta_steps(
    state: Float[Array, "B H K V"], xs: Inputs, segment: Int[Array, "C B"]
) -> tuple[Float[Array, "B H K V"], Float[Array, "C B H V"]]:
    """One step after the other. segment: the number of starts up to and with each step."""
    start = jnp.diff(segment, axis=0, prepend=0) > 0
    if len(segment) == 1:
        state, y = _step(state, jax.tree.map(lambda leaf: leaf[0], (*xs, start)))
        return state, y[None]
    return jax.lax.scan(_step, state, (*xs, start))


def _step(state, inputs):
    query, key, value, beta, log_decay, fresh = inputs
    state = jnp.where(fresh[:, None, None, None], 0.0, jnp.exp(log_decay)[..., None] * state)
    written = beta * (value - jnp.einsum("bhk,bhkv->bhv", key, state))
    state = state + key[..., None] * written[..., None, :]
    return state, jnp.einsum("bhk,bhkv->bhv", query, state)


def delta_chunk(
    state: Float[Array, "B H K V"], xs: Inputs, segment: Int[Array, "C B"]
) -> tuple[Float[Array, "B H K V"], Float[Array, "C B H V"]]:
    """As `delta_steps`, by matrix products."""
    query, key, value, beta, log_decay = (jnp.moveaxis(x, 0, 2) for x in xs)  # [B, H, C, ...]
    segment = segment.T[:, None]  # [B, 1, C]
    of_carry = (segment == 0)[..., None]
    of_last = (segment == segment[..., -1:])[..., None]
    same = segment[..., :, None] == segment[..., None, :]
    index = jnp.arange(segment.shape[-1])
    before = same & (index[:, None] > index)

    fresh = (jnp.diff(segment, axis=-1, prepend=0) > 0)[..., None]
    log_decay = jnp.where(fresh, 0.0, log_decay)
    lost = broken(state).any(axis=-1)
    state = finite(state)
    since_start = segment_sums(finite(log_decay), fresh)
    from_carry = jnp.where(of_carry, jnp.exp(since_start), 0.0)
    right = beta * (value - from_carry * (key @ state))
    lost = from_then_on(broken(key, right, log_decay), lost, segment)
    unread = lost | broken(query)
    query, key, beta, right = map(finite, (query, key, beta, right))

    decay = jnp.exp(jnp.minimum(since_start - since_start.mT, 0.0))
    products = jnp.where(before, key @ key.mT * decay, 0.0)
    written = solve(beta * products, right)
    scores = jnp.where(before | (index[:, None] == index), query @ key.mT * decay, 0.0)
    y = from_carry * (query @ state) + scores @ written

    to_end = jnp.exp(jnp.minimum(since_start[:, :, -1:] - since_start, 0.0))
    kept = jnp.where(of_last, key * to_end, 0.0)
    state = from_carry[:, :, -1:] * state + kept.mT @ written
    state = jnp.where(lost[:, :, -1:, None], jnp.nan, state)
    return state, jnp.moveaxis(jnp.where(unread[..., None], jnp.nan, y), 2, 0)
