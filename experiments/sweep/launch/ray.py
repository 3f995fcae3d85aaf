"""Cells as tasks of Ray core, on one machine or a cluster.

A task whose node dies is started again elsewhere and resumes after its last segment. The tasks
end with this process; the same command resumes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from experiments.results.errors import UserError
from experiments.results.spec import CellSpec
from experiments.results.store import Cell
from experiments.results.tables import counted
from experiments.sweep.launch.resources import Launch
from experiments.sweep.launch.worker import work

RETRIES = 5  # of a task whose node died
POLL_SECONDS = 1.0


def launch(
    study: Path, specs: Sequence[CellSpec], how: Launch, log: tuple[str, ...], console: Console
) -> Iterator[None]:
    """Starts a task a cell, and yields until all have ended."""
    try:
        import ray
    except ImportError:
        raise UserError('Ray needs ray: pip install "popjax[ray]"') from None
    try:
        ray.init(
            address=how.ray_address or None,
            ignore_reinit_error=True,
            include_dashboard=None if how.ray_address else False,
            log_to_driver=False,
            logging_level="ERROR",
        )
    except (ConnectionError, ValueError) as error:
        line = (str(error).strip().splitlines() or [""])[0][:200]
        raise UserError(f"no Ray cluster at {how.ray_address!r}: {line}") from None
    try:
        task = ray.remote(work).options(
            num_cpus=how.cpus,
            num_gpus=how.gpus,
            max_retries=RETRIES,
            name="popjax",
            runtime_env={"env_vars": _variables(how)},
        )
        waiting = {task.remote(str(study), spec, log): spec for spec in specs}
        nodes = sum(node["Alive"] for node in ray.nodes())
        tasks = counted(len(waiting), "task")
        console.print(f"{tasks} on {counted(nodes, 'node')} of Ray", markup=False)
        while waiting:
            yield
            done, _ = ray.wait(list(waiting), timeout=POLL_SECONDS)
            for ended in done:
                spec = waiting.pop(ended)
                try:
                    ray.get(ended)
                except ray.exceptions.RayError as error:
                    Cell(study, spec).fail(error)
    finally:
        ray.shutdown()


def _variables(how: Launch) -> dict[str, str]:
    """A task's environment: where compiled programs are kept, and its part of a GPU's memory.

    A task that was given no GPU works on the CPU: Ray hides none from it, so that all of them
    would take the first.
    """
    names = ("JAX_COMPILATION_CACHE_DIR", "XLA_FLAGS", "JAX_PLATFORMS")
    variables = {name: os.environ[name] for name in names if name in os.environ}
    if not how.gpus:
        variables |= {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": ""}
    if 0 < how.gpus < 1:
        variables["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{0.9 * how.gpus:.2f}"
    return variables
