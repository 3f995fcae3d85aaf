"""The episodes that an update reads: new ones each time, or those of a finite corpus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jaxtyping import Array, Int, Key


def turn(key: Key[Array, ""], update: Any, corpus: int, num_episodes: int) -> Int[Array, " n"]:
    """Which episodes of a corpus an update reads: each once a pass, every pass in a new order."""
    a_pass = corpus // num_episodes
    order = jax.random.permutation(jax.random.fold_in(key, update // a_pass), corpus)
    return jax.lax.dynamic_slice(order, [update % a_pass * num_episodes], [num_episodes])


def make_reader(
    draw: Callable[[Key[Array, ""], int], Any], num_episodes: int, corpus: int, corpus_seed: int
) -> tuple[Callable[[], Any], Callable[..., Any]]:
    """`library() -> all of a corpus of that size`, None if the size is 0, and
    `read(library, key, update) -> what that update reads`; the key is that of the whole run.

    draw: `(key, size) -> a pytree [T, size, ...]`; it consumes the key.
    """

    def library() -> Any:
        return draw(jax.random.key(corpus_seed), corpus) if corpus else None

    def read(library: Any, key: Key[Array, ""], update: Any) -> Any:
        if library is None:
            return draw(jax.random.fold_in(key, update), num_episodes)
        chosen = turn(key, update, corpus, num_episodes)
        return jax.tree.map(lambda leaf: leaf[:, chosen], library)

    return library, read
