"""The compiled code of a cell: made ahead, and shared by cells that differ only in values."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Sharding

from agents.hyperparams import Hyperparams
from agents.sharding import dealt, everywhere, over_lanes, padded, placed, placed_like
from experiments.compiling import compiled
from experiments.regimes import REGIMES, Trainer
from experiments.specs import CellSpec


@dataclass(frozen=True)
class Program:
    """What trains every seed of a cell at once.

    start: `(keys, hyperparams) -> state` of all lanes, those that fill up the devices included.
    advance: `(state, hyperparams) -> (state, metrics)`, one segment; the state is donated.
    state: shapes of the state of the true lanes. seconds: what it took to make.
    """

    trainer: Trainer
    start: Any
    advance: Any
    state: Any
    place: Sharding | None
    seconds: float

    def put(self, tree: Any) -> Any:
        """Values of the true lanes as `start` and `advance` take them."""
        return placed(self.place, padded(self.trainer.lanes, tree))


VALUES = ("hyperparams", "first_seed", "total_steps", "num_segments")  # not seen by the compiler


def program_code(spec: CellSpec) -> str:
    """Equal where cells are trained by one program: they differ in traced values and seeds."""
    plain = spec.resolved()
    settings = {k: v for k, v in plain["settings"].items() if k not in VALUES}
    lengths = [spec.num_updates, spec.updates_per_segment]
    text = json.dumps(plain | {"settings": settings, "updates": lengths})
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def compile_program(spec: CellSpec, num_updates: int | None = None) -> Program:
    """Compiles what a cell needs, from its shapes alone; may run beside training.

    num_updates: of each segment, if not as many as the cell asks for.
    """
    clock = time.perf_counter()
    trainer = REGIMES[spec.regime].trainer(spec)
    mesh = trainer.lanes
    place = dealt(mesh) if mesh else everywhere(trainer.mesh) if trainer.mesh else None
    values = (lane_keys(spec.seeds)[0], lane_hyperparams(spec))
    init = partial(trainer.init, num_updates=spec.num_updates)
    segment = partial(trainer.segment, num_updates=num_updates or spec.updates_per_segment)
    shapes = jax.eval_shape(jax.vmap(init), *values)

    wide = placed_like(place, jax.eval_shape(partial(padded, mesh), values))
    out = {"out_shardings": place} if place else {}
    start = jax.jit(over_lanes(mesh, init), **out)
    state = placed_like(place, jax.eval_shape(start, *wide))
    advance = jax.jit(over_lanes(mesh, segment), donate_argnums=0, **out)
    start, advance = compiled(lambda: start.lower(*wide), lambda: advance.lower(state, wide[1]))
    if trainer.ahead:
        trainer.ahead(state.params, wide[0])
    seconds = time.perf_counter() - clock
    return Program(trainer, start, advance, placed_like(None, shapes), place, seconds)


def lane_keys(seeds: tuple[int, ...]) -> tuple[Any, Any]:
    """Keys for training and for evaluation, `[lanes]` each: lane i depends on its seed alone."""
    pairs = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(jnp.array(seeds))
    return pairs[:, 0], pairs[:, 1]


def lane_hyperparams(spec: CellSpec) -> Hyperparams:
    """The traced settings, one copy a lane."""
    lanes = (len(spec.seeds),)
    return Hyperparams(**{k: jnp.full(lanes, v, jnp.float32) for k, v in spec.hyperparams.items()})


def keep_compiled_programs() -> None:
    """Turns on the persistent compilation cache, unless the user has chosen a place for it."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        jax.config.update("jax_compilation_cache_dir", str(cache / "popjax" / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
