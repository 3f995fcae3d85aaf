"""Whether cells can be made at all, and fit in memory, asked before anything is written."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import jax

from agents.hyperparams import Hyperparams
from experiments.results.errors import UserError
from experiments.results.spec import CellSpec, own_part
from experiments.train.build import blocks_of
from experiments.train.objectives import REGIMES, Trainer
from popjax import make

NUMBER = 4  # bytes
COPIES = 5  # of the parameters: themselves, two moments, gradient and change
NEAR = 0.05  # below this share of the memory, a rough estimate is enough


def check_cells(specs: Sequence[CellSpec], here: bool = True, lanes: int | None = None) -> None:
    """A UserError if a cell cannot be made, or if they are to run `here` and one needs more memory
    than there is. lanes: seeds that are trained side by side, if not those of the cell.

    >>> from experiments.results.spec import NetworkConfig, Settings

    >>> from experiments.train.cell import cell
    >>> check_cells([cell("RepeatFirstEasy", "gru", Settings(network=NetworkConfig(joint=True)))])
    Traceback (most recent call last):
        ...
    experiments.results.errors.UserError: joint is for actions of several integers: one of RepeatFirstEasy is not
    """  # noqa: E501
    limit = memory_here() if here else math.inf
    for spec in specs:
        try:
            trainer = REGIMES[spec.regime].trainer(spec)
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(f"{spec.env} {spec.memory}: {error}") from None
        count = lanes or len(spec.seeds)
        if here and count * (rough_parameters(spec) + data(spec)) > NEAR * limit:
            needed = count * (of_state(spec, trainer) + data(spec))
            if needed > limit:
                raise UserError(
                    f"{spec.env} {spec.memory}: {count:,} seeds of this size need about "
                    f"{_size(needed)} of memory, and there are {_size(limit)}"
                )


def rough_parameters(spec: CellSpec) -> float:
    """Bytes of the parameters and of what the optimiser keeps of them, of one seed, from the widths
    alone and rather too many."""
    size, blocks = spec.settings.network, blocks_of(spec)
    width = max(blocks[0].features, 1)
    block = 16 * width**2 + 2 * width * size.feed_forward
    own = sum(size.options.values()) * width  # options of a memory may be sizes too
    ends = make(spec.env).observation_space.flat_size * width + 4 * size.head_features**2
    return COPIES * NUMBER * (len(blocks) * (block + own) + ends)


def of_state(spec: CellSpec, trainer: Trainer) -> float:
    """Bytes of all that one seed keeps between updates, and of its gradient, from their shapes."""
    init = partial(trainer.init, num_updates=spec.num_updates)
    state = jax.eval_shape(lambda: init(jax.random.key(0), Hyperparams()))
    return _bytes(state) + 2 * _bytes(state.params)


def data(spec: CellSpec) -> float:
    """Bytes of one update's steps, of the activations that one gradient needs, and of what is
    remembered in the evaluation, of one seed."""
    settings, blocks, env = spec.settings, blocks_of(spec), make(spec.env)
    steps = spec.steps_per_update
    parts = settings.ppo.num_minibatches if own_part(spec.regime) == "ppo" else 1
    width = blocks[0].features
    activations = steps / parts * len(blocks) * 4 * width
    remembered = settings.eval_episodes * sum(block.state_size() for block in blocks)
    return NUMBER * (steps * (env.observation_space.flat_size + 8) + activations + remembered)


def memory_here() -> float:
    """Bytes that arrays can have on the devices of this process together."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "bytes_limit" in stats:
        return stats["bytes_limit"] * jax.local_device_count()
    limits = [math.inf]
    with suppress(OSError, ValueError, AttributeError):
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    with suppress(OSError, ValueError):  # "max" if the container has no limit
        limits.append(int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return min(limits)


def _bytes(tree: Any) -> int:
    sizes = jax.tree.map(lambda leaf: leaf.size * getattr(leaf.dtype, "itemsize", NUMBER), tree)
    return sum(jax.tree.leaves(sizes))


def _size(count: float) -> str:
    return f"{count / 1e9:,.1f} GB"
