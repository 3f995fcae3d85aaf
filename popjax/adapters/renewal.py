"""Automatic reset of one episode, at the cost of the episodes that ended.

Other packages step one episode and batch by `vmap`, where selecting between the old state and a
fresh one costs a reset of every episode at every step. A custom batching rule avoids this: the
finished episodes of the whole batch are gathered and only those are reset, each with its own key,
so that an episode does not depend on the others in its batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Key


def typed(key: Array) -> Key[Array, ""]:
    """A key of either style, as a typed one."""
    if jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        return key
    return jax.random.wrap_key_data(key)


def renew(
    begin: Callable[[Key[Array, ""]], Any], key: Key[Array, ""], over: Bool[Array, ""], now: Any
) -> Any:
    """`begin(key)` if the episode is over, else `now`, a pytree of the same shapes. The key is
    consumed.

    >>> renew(lambda key: jnp.zeros(2), jax.random.key(0), jnp.array(True), jnp.ones(2)).tolist()
    [0.0, 0.0]
    """

    @custom_vmap
    def renew_all(keys, over, now):  # [B], [B], leaves [B, ...]
        return _renew_finished(begin, keys, over, now)

    @renew_all.def_vmap
    def _(size, batched, keys, over, now):  # a batch of batches is one batch
        keys, over, now = jax.tree.map(
            lambda x, is_batched: x if is_batched else jnp.broadcast_to(x, (size, *x.shape)),
            (keys, over, now),
            tuple(batched),
        )
        shape = over.shape
        flat = jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), (keys, over, now))
        fresh = jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), renew_all(*flat))
        return fresh, jax.tree.map(lambda _: True, fresh)

    lead = jax.tree.map(lambda x: x[None], (key, over, now))
    return jax.tree.map(lambda x: x[0], renew_all(*lead))


def _renew_finished(begin, keys, over, now):
    """Resets the finished episodes of `[B]` in groups of fixed size."""
    num_envs = over.shape[0]
    group = min(num_envs, max(16, num_envs // 16))
    finished = jnp.cumsum(over, dtype=jnp.int32)  # the n-th finished episode is where this turns n

    def renew_group(carry):
        count, now = carry
        index = jnp.searchsorted(finished, count + 1 + jnp.arange(group))  # num_envs: none left
        fresh = jax.vmap(begin)(keys.at[index].get(mode="clip"))
        now = jax.tree.map(
            lambda old, new: old.at[index].set(new, mode="drop", indices_are_sorted=True),
            now,
            fresh,
        )
        return count + group, now

    return jax.lax.while_loop(lambda carry: carry[0] < finished[-1], renew_group, (0, now))[1]
