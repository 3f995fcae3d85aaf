"""One training program for all seeds: a lane each, vmapped and dealt out to the devices."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, Sharding
from jaxtyping import Array, Int, Key

from agents.sharding import over_lanes

QUICK = {"xla_backend_optimization_level": 1}
"""LLVM's first level. On a CPU (RepeatPreviousEasy, PPO, GRU 256) 11.2 seconds of processor time
where the usual level takes 13.5; an update takes as long, since its products are a library's, and
gives the same bits for most memory models."""


def compiled(*lower: Callable[[], Any]) -> list[Any]:
    """Programs of what these lower, the longest last: each is compiled while the next is lowered.

    >>> double = jax.jit(lambda x: 2 * x)
    >>> [float(program(3.0)) for program in compiled(lambda: double.lower(1.0))]
    [6.0]
    """
    options = QUICK if jax.default_backend() == "cpu" else {}
    with ThreadPoolExecutor(len(lower)) as threads:
        begun = [threads.submit(one().compile, compiler_options=options) for one in lower]
        return [program.result() for program in begun]


@jax.jit
def keys_of(seeds: Int[Array, " lanes"]) -> tuple[Key[Array, " lanes"], Key[Array, " lanes"]]:
    """Keys for training and for evaluation: lane i depends on its seed alone."""
    pairs = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(seeds)
    return pairs[:, 0], pairs[:, 1]


def as_numbers(seeds: tuple[int, ...]) -> Int[np.ndarray, " lanes"]:
    """Seeds as `keys_of` takes them."""
    return np.array(seeds, np.int32)


def lane_keys(seeds: tuple[int, ...]) -> tuple[Key[Array, " lanes"], Key[Array, " lanes"]]:
    """`keys_of` these seeds."""
    return keys_of(as_numbers(seeds))


def whole_segments(total_steps: int, steps_per_update: int, num_segments: int) -> tuple[int, int]:
    """How many updates a run has and how many of them a segment: as many whole segments as the
    steps pay for, at least one. Every segment is equally long, so that one program serves all.

    >>> whole_segments(100_000, 8192, 20), whole_segments(1_000_000, 8192, 20)
    ((12, 1), (120, 6))
    """
    affordable = max(1, total_steps // steps_per_update)
    per_segment = max(1, affordable // num_segments)
    return per_segment * (affordable // per_segment), per_segment


def lane_programs(
    mesh: Mesh | None,
    place: Sharding | None,
    init: Callable[..., Any],
    segment: Callable[..., Any],
    num_updates: int,
    updates_per_segment: int,
) -> tuple[Any, Any]:
    """`start(keys, hyperparams) -> state` and `advance(state, hyperparams) -> (state, metrics)` of
    all lanes, jitted; the state is donated. init, segment: of one lane, see `agents.ppo`.
    num_updates: of the whole run.
    """
    out = {"out_shardings": place} if place else {}
    begin = partial(init, num_updates=num_updates)
    go_on = partial(segment, num_updates=updates_per_segment)
    return (
        jax.jit(over_lanes(mesh, begin), **out),
        jax.jit(over_lanes(mesh, go_on), donate_argnums=0, **out),
    )
