"""Running one cell: compiled segments of training, and what the host does between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents import checkpoint, policy
from experiments.results.errors import UserError
from experiments.results.lock import Hold
from experiments.results.spec import CellSpec
from experiments.results.store import Cell, Table
from experiments.train.compile import Program, compile_program, lane_hyperparams
from experiments.train.loggers import Sinks

Report = Callable[[dict[str, Any]], None]


class LostError(Exception):
    """Another process has taken the cell over from this one, which slept too long.

    >>> issubclass(LostError, UserError)  # not an error: the other process continues
    False
    """


def run_cell(
    study: Path,
    spec: CellSpec,
    report: Report = lambda news: None,
    log: Sequence[str] = (),
    compiled: Callable[[CellSpec], Program] = compile_program,
) -> str:
    """Trains every seed of a cell in one vmapped program and stores the results.

    Idempotent: returns "skipped" if the cell was finished before, "busy" if another process is at
    work on it, else "finished". A run that was cut off resumes after its last finished segment.
    `report` is called with a dict of news after each stage; `log` names
    `experiments.train.loggers`; `compiled` gives the program, which may have been made ahead.

    >>> import tempfile
    >>> from experiments.results.spec import Settings
    >>> from experiments.train.cell import cell
    >>> spec = cell("RepeatFirstEasy", "gru", Settings())
    >>> with tempfile.TemporaryDirectory() as study:
    ...     Cell(Path(study), spec).open()
    ...     Cell(Path(study), spec).finish({"step": np.arange(2)}, {"seed": np.arange(2)}, {})
    ...     run_cell(Path(study), spec)  # trains, unless it was finished before
    'skipped'
    """
    cell = Cell(study, spec)
    if cell.finished:
        return "skipped"
    with cell.lock() as ours:
        if not ours:
            return "busy"
        if cell.finished:
            return "skipped"
        cell.open()
        try:
            with Sinks(log, cell) as sinks:
                _train(cell, report, sinks, compiled, ours)
        except LostError:
            return "busy"
    return "finished"


def _train(
    cell: Cell,
    report: Report,
    sinks: Sinks,
    compiled: Callable[[CellSpec], Program],
    ours: Hold,
) -> None:
    spec = cell.spec
    try:
        update = checkpoint.latest(cell.checkpoints) or 0
    except checkpoint.CheckpointError as error:
        raise UserError(str(error)) from None
    rows = cell.rows_before(update)
    report({"stage": "compiling", "update": update})
    clock = time.perf_counter()
    program = compiled(spec)
    trainer = program.trainer
    waited_seconds = time.perf_counter() - clock
    key_train, key_eval = program.lane_keys(spec.seeds)
    hyperparams = program.put(lane_hyperparams(spec))
    if update:  # the beginning, which may be long, is not made again
        try:
            state = program.put(checkpoint.restore(cell.checkpoints, update, program.state))
        except checkpoint.CheckpointError as error:
            raise UserError(str(error)) from None
    else:
        state = program.start(key_train, hyperparams)

    clock, cpu_clock = time.perf_counter(), time.process_time()
    first_update = update
    while update < spec.num_updates:
        state, metrics = program.advance(state, hyperparams)
        new_rows = _rows(spec, update, jax.device_get(metrics), finite_lanes(state.params))
        _check(cell, ours)
        cell.append(new_rows)
        rows += new_rows
        update += spec.updates_per_segment
        checkpoint.save(cell.checkpoints, update, true_lanes(state, len(spec.seeds)))
        sinks.tell(new_rows)
        steps = (update - first_update) * spec.steps_per_update * len(spec.seeds)
        recent = [row[trainer.headline] for row in new_rows if row[trainer.headline] is not None]
        report(
            {
                "stage": "training",
                "update": update,
                "steps_per_second": steps / (time.perf_counter() - clock),
                trainer.headline: float(np.mean(recent)) if recent else None,
                "diverged": sorted({row["seed"] for row in rows if row["diverged"]}),
            }
        )
    train_seconds = time.perf_counter() - clock
    cpu_seconds = time.process_time() - cpu_clock  # of all threads of this process

    report({"stage": "evaluating", "update": update})
    clock = time.perf_counter()
    evaluation = trainer.evaluate(state.params, key_eval, spec.seeds)
    if trainer.export:
        params = jax.device_get(true_lanes(state, len(spec.seeds)).params)
        trainer.export(cell.folder / policy.FILE, params, spec.seeds)
    trained = (update - first_update) * spec.steps_per_update * len(spec.seeds)
    summary = {
        "compile_seconds": round(program.seconds, 2),
        "waited_seconds": round(waited_seconds, 2),
        "train_seconds": round(train_seconds, 2),
        "cpu_seconds": round(cpu_seconds, 2),
        "eval_seconds": round(time.perf_counter() - clock, 2),
        "trained_steps": trained,
        "steps_per_second": round(trained / train_seconds) if trained else None,
        "devices": trainer.lanes.size if trainer.lanes else 1,
        "parameters": sum(
            leaf.size // leaf.shape[0] for leaf in jax.tree.leaves(program.state.params)
        ),
        "state_size": trainer.network.backbone.state_size(),
        "diverged": {str(row["seed"]): row["update"] for row in reversed(rows) if row["diverged"]},
    }
    _check(cell, ours)
    cell.finish(_columns(rows), evaluation, summary)


def _check(cell: Cell, ours: Hold) -> None:
    """What is written is written by the owner of a folder that is there."""
    if not cell.folder.exists():
        raise FileNotFoundError(2, "the folder is gone", str(cell.folder))
    if not ours:
        raise LostError


def true_lanes(state: Any, lanes: int) -> Any:
    """The state without the lanes that only fill up the devices.

    >>> from collections import namedtuple
    >>> state = namedtuple("State", "update params")(np.zeros(4), np.arange(4))
    >>> true_lanes(state, 3).params.tolist()
    [0, 1, 2]
    """
    if len(state.update) == lanes:
        return state
    return jax.tree.map(lambda leaf: leaf[:lanes], state)


def finite_lanes(params: Any) -> np.ndarray:
    """`[lanes]` bool: all parameters of the lane are numbers.

    >>> finite_lanes({"w": jnp.array([[1.0, 2.0], [jnp.nan, 0.0]])}).tolist()
    [True, False]
    """
    leaves = [
        np.asarray(jnp.all(jnp.isfinite(leaf), axis=tuple(range(1, leaf.ndim))))
        for leaf in jax.tree.leaves(params)
    ]
    return np.all(leaves, axis=0)


def _rows(spec: CellSpec, update: int, metrics: Any, finite: np.ndarray) -> list[dict[str, Any]]:
    """One line an update and seed. Not-a-number becomes null: JSON has no such number."""
    num_updates = metrics["loss"].shape[1]
    rows = []
    for i in range(num_updates):
        for lane, seed in enumerate(spec.seeds):
            values = {name: float(column[lane, i]) for name, column in metrics.items()}
            is_last = i == num_updates - 1
            diverged = not np.isfinite(values["loss"]) or (is_last and not finite[lane])
            rows.append(
                {
                    "seed": seed,
                    "update": update + i,
                    "step": (update + i + 1) * spec.steps_per_update,
                    **{k: v if np.isfinite(v) else None for k, v in values.items()},
                    "diverged": bool(diverged),
                }
            )
    return rows


def _columns(rows: list[dict[str, Any]]) -> Table:
    def column(name):
        values = [row[name] for row in rows]
        if name in ("seed", "update", "step"):
            return np.array(values, np.int64)
        if name == "diverged":
            return np.array(values, bool)
        return np.array([np.nan if v is None else v for v in values], np.float64)

    return {name: column(name) for name in rows[0]}
