"""The compiled code of a cell: made ahead, and shared by cells that differ only in values."""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jax.sharding import Sharding

from agents.hyperparams import Hyperparams
from agents.lanes import as_numbers, compiled, keys_of, lane_programs
from agents.sharding import lane_sharding, padded, placed, placed_like, replicated
from experiments.results.spec import CellSpec
from experiments.train import executable_cache
from experiments.train.objectives import REGIMES, Trainer


@dataclass(frozen=True)
class Program:
    """What trains every seed of a cell at once.

    keys: `seeds -> (keys for training, keys for evaluation)`, `[lanes]` each. start: `(keys,
    hyperparams) -> state` of all lanes, those that fill up the devices included. advance: `(state,
    hyperparams) -> (state, metrics)`, one segment; the state is donated. state: shapes of the state
    of the true lanes. seconds: what it took to make.
    """

    trainer: Trainer
    keys: Any
    start: Any
    advance: Any
    state: Any
    place: Sharding | None
    seconds: float

    def put(self, tree: Any) -> Any:
        """Values of the true lanes as `start` and `advance` take them."""
        return placed(self.place, padded(self.trainer.lanes, tree))

    def lane_keys(self, seeds: tuple[int, ...]) -> tuple[Any, Any]:
        """Keys for training and for evaluation, as `start` and the evaluation take them."""
        return self.put(self.keys(as_numbers(seeds)))


VALUES = ("hyperparams", "first_seed", "total_steps", "num_segments")  # not seen by the compiler


def program_code(spec: CellSpec) -> str:
    """Equal where cells are trained by one program: they differ in traced values and seeds."""
    return hashlib.sha256(_made_of(spec).encode()).hexdigest()[:10]


def _made_of(spec: CellSpec) -> str:
    plain = spec.resolved()
    settings = {k: v for k, v in plain["settings"].items() if k not in VALUES}
    lengths = [spec.num_updates, spec.updates_per_segment]
    return json.dumps(plain | {"settings": settings, "updates": lengths})


def compile_program(
    spec: CellSpec, num_updates: int | None = None, evaluation: bool = True
) -> Program:
    """Compiles what a cell needs, from its shapes alone; may run beside training. A program that
    was kept (`experiments.train.executable_cache`) is read instead; its evaluation is then
    compiled when it is due.

    num_updates: of each segment, if not as many as in the cell. evaluation: compile that too.
    """
    clock = time.perf_counter()
    trainer = REGIMES[spec.regime].trainer(spec)
    mesh = trainer.lanes or trainer.mesh
    devices = list(mesh.devices.flat) if mesh else jax.local_devices()[:1]
    code = executable_cache.code_of(spec, f"{_made_of(spec)} {num_updates}")
    found = executable_cache.read(code, (devices[:1], devices, devices))
    if found:
        programs, shapes = found
    else:
        trainer = trainer if evaluation else replace(trainer, ahead=None)
        programs, shapes = _made(spec, trainer, num_updates or spec.updates_per_segment, code)
    seconds = time.perf_counter() - clock
    return Program(trainer, *programs, placed_like(None, shapes), _place(trainer), seconds)


def _place(trainer: Trainer) -> Sharding | None:
    if trainer.lanes:
        return lane_sharding(trainer.lanes)
    return replicated(trainer.mesh) if trainer.mesh else None


def _made(
    spec: CellSpec, trainer: Trainer, num_updates: int, code: str | None
) -> tuple[list[Any], Any]:
    """The programs `keys`, `start` and `advance`, and the shapes of the state of true lanes. They
    are kept under their code."""
    mesh, place = trainer.lanes, _place(trainer)
    seeds = as_numbers(spec.seeds)
    values = (jax.eval_shape(keys_of, seeds)[0], lane_hyperparams(spec))
    init = partial(trainer.init, num_updates=spec.num_updates)
    shapes = jax.eval_shape(jax.vmap(init), *values)

    wide = placed_like(place, jax.eval_shape(partial(padded, mesh), values))
    start, advance = lane_programs(
        mesh, place, trainer.init, trainer.segment, spec.num_updates, num_updates
    )
    state = placed_like(place, jax.eval_shape(start, *wide))
    hits = executable_cache.hits()
    programs = compiled(
        lambda: keys_of.lower(seeds),
        lambda: start.lower(*wide),
        lambda: advance.lower(state, wide[1]),
    )
    if executable_cache.hits() == hits:
        executable_cache.write(code, programs, shapes)
    if trainer.ahead:
        trainer.ahead(state.params, wide[0])
    return programs, shapes


def lane_hyperparams(spec: CellSpec) -> Hyperparams:
    """The traced settings, one copy a lane."""
    lanes = (len(spec.seeds),)
    return Hyperparams(**{k: np.full(lanes, v, np.float32) for k, v in spec.hyperparams.items()})


def keep_compiled_programs(whole: bool = False) -> None:
    """Turns on the persistent compilation cache, where and from what size on the user has chosen,
    if they have (`JAX_COMPILATION_CACHE_DIR`, `JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS`).

    whole: keeps programs that need no tracing too (`experiments.train.executable_cache`). For
    processes that run what is in the sources and change nothing of it.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "popjax" / "jax"
        with suppress(OSError):  # JAX reads machine code from it: for its owner alone
            cache.mkdir(parents=True, exist_ok=True)
            cache.chmod(0o700)
        if cache.exists() and not executable_cache.is_ours(cache.stat()):
            return
        jax.config.update("jax_compilation_cache_dir", str(cache))
    if "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS" not in os.environ:
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
    folder = jax.config.jax_compilation_cache_dir
    if whole and "://" not in folder:
        executable_cache.keep_in(Path(folder) / "popjax")
