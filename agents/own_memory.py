"""Memory models of the user's own: found by name, and checked before they are trained."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from agents.memory import MEMORIES, Memory
from popjax import places
from popjax.contract import asked


class UnknownMemoryError(ValueError):
    """A memory model is not known in this process."""


def memory_class(name: str) -> type[Memory]:
    """The memory model of that name, in `MEMORIES` or, as `module:Class`, in a file of the user's;
    an UnknownMemoryError, one line, if it is not there.

    >>> memory_class("gru").__name__
    'GRU'
    """
    if name in MEMORIES:
        return MEMORIES[name]
    if not places.is_place(name):
        raise UnknownMemoryError(
            f"there is no {name!r}; if it is yours, register it first: "
            f"agents.memory.MEMORIES[{name!r}] = YourClass"
        )
    try:
        return places.find(name, _is_memory, "class of agents.memory.Memory")
    except ValueError as error:
        raise UnknownMemoryError(str(error)) from None


def _is_memory(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, Memory) and thing is not Memory


def check_memory(memory: Memory, name: str = "") -> Memory:
    """The memory; a ValueError of one line if it breaks the protocol of `agents.memory.base`.
    Nothing is computed: it is traced.

    >>> check_memory(MEMORIES["gru"](features=4)).features
    4
    >>> check_memory(Memory(features=4), "mine")
    Traceback (most recent call last):
    ...
    ValueError: mine: initial_carry is not defined
    """
    name = name or type(memory).__name__
    steps, batch_size = 3, 2
    carry = asked(name, "initial_carry", lambda: memory.initial_carry(batch_size))
    if any(jnp.shape(leaf)[:1] != (batch_size,) for leaf in jax.tree.leaves(carry)):
        raise ValueError(f"{name}: every array of initial_carry leads with the batch size")
    x = jnp.zeros((steps, batch_size, memory.features))
    start = jnp.zeros((steps, batch_size), bool)
    given = asked(
        name,
        "__call__",
        lambda: jax.eval_shape(memory.init_with_output, jax.random.key(0), carry, x, start)[0],
    )
    if not isinstance(given, tuple) or len(given) != 2:
        raise ValueError(f"{name}: __call__ returns (carry, y), not {type(given).__name__}")
    if jnp.shape(given[1]) != x.shape:
        raise ValueError(
            f"{name}: __call__ returns y of shape [T, B, features], here {x.shape}, not "
            f"{jnp.shape(given[1])}"
        )
    before, after = (
        [jax.tree.structure(tree), *(jnp.shape(leaf) for leaf in jax.tree.leaves(tree))]
        for tree in (carry, given[0])
    )
    if before != after:
        raise ValueError(f"{name}: __call__ returns a carry of other shapes than initial_carry")
    return memory
