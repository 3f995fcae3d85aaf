"""How long training takes to begin: in this process without the persistent cache, and in new
processes, the second of which finds the programs of the first there.

`python -m experiments.bench.startup` is such a process: it reads which cell from its input, begins
to train it as `popjax train` does, and prints what that took, once the first update could be made.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agents.ppo import PPOConfig
from experiments.bench.envs import device_words, write_json
from experiments.results.spec import CellSpec, NetworkConfig, Settings
from experiments.train.cell import cell
from experiments.train.compile import (
    Program,
    compile_program,
    keep_compiled_programs,
    lane_hyperparams,
)


def begin_training(spec: CellSpec) -> tuple[Any, Program]:
    """The first state, and the program of one update, as `experiments.train.run` has them."""
    program = compile_program(spec, num_updates=1, evaluation=False)
    keys, _ = program.lane_keys(spec.seeds)
    return program.start(keys, program.put(lane_hyperparams(spec))), program


def first_starts(spec: CellSpec) -> dict[str, float]:
    """Seconds of two new processes until they could make their first update, and what of the
    second's is not imports: finding and reading programs and making the first state. They share a
    persistent cache that was empty."""
    network = spec.settings.network
    words = {
        "env": spec.env,
        "memory": spec.memory,
        "features": network.features,
        "ppo": dataclasses.asdict(spec.settings.ppo),
    }
    with tempfile.TemporaryDirectory() as cache:
        first, _ = _new_process(words, cache)
        second, jax_seconds = _new_process(words, cache)
    return {
        "first_start_seconds": first,
        "second_start_seconds": second,
        "second_jax_seconds": jax_seconds,
    }


def _new_process(words: dict[str, Any], cache: str) -> tuple[float, float]:
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "experiments.bench.startup"],
        env=os.environ | {"JAX_COMPILATION_CACHE_DIR": cache},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with child:
        child.stdin.write(json.dumps(words))
        child.stdin.close()
        line = child.stdout.readline()
        seconds = time.perf_counter() - began
    if child.returncode:
        raise RuntimeError("the process that was to begin training failed")
    return seconds, json.loads(line)["seconds"]


def bench_compile(
    envs: Sequence[str],
    memories: Sequence[str],
    features: int,
    console: Console,
    out: Path | None = None,
    config: PPOConfig | None = None,
) -> list[dict[str, Any]]:
    """Seconds from nothing to the program of an update: by the clock, and of the
    processor's time, which says more on a busy machine. Printed, and written to `out` as JSON."""
    table = Table(title=f"until training can begin, {device_words()}")
    for name in ("environment", "memory"):
        table.add_column(name, no_wrap=True)
    for name in ("seconds", "CPU seconds", "program MB"):
        table.add_column(name, justify="right")
    settings = Settings(
        seeds=1, network=NetworkConfig(features=features), ppo=config or PPOConfig()
    )
    rows = []
    cells = [(env_id, memory) for env_id in envs for memory in memories]
    for env_id, memory in track(cells, "programs", console=console, transient=True):
        jax.clear_caches()
        began, began_cpu = time.perf_counter(), time.process_time()
        _, program = begin_training(cell(env_id, memory, settings))
        row = {
            "env": env_id,
            "memory": memory,
            "compile_seconds": time.perf_counter() - began,
            "compile_cpu_seconds": time.process_time() - began_cpu,
            "program_bytes": program.advance.memory_analysis().temp_size_in_bytes,
        }
        rows.append(row)
        table.add_row(
            env_id,
            memory,
            f"{row['compile_seconds']:.1f}",
            f"{row['compile_cpu_seconds']:.1f}",
            f"{row['program_bytes'] / 1e6:.0f}",
        )
    console.print(table)
    if out is not None:
        write_json(out, {"device": device_words(), "features": features, "rows": rows})
    return rows


def _main() -> None:
    from experiments.train.process import keep_pages

    words = json.load(sys.stdin)
    network = NetworkConfig(features=words["features"])
    settings = Settings(seeds=1, network=network, ppo=PPOConfig(**words["ppo"]))
    keep_pages()
    keep_compiled_programs(whole=True)
    began = time.perf_counter()
    jax.block_until_ready(begin_training(cell(words["env"], words["memory"], settings))[0])
    print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


if __name__ == "__main__":
    _main()
