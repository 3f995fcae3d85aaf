"""Running one cell: compiled segments of training, and what the host does between them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from agents import checkpoint
from agents.hyperparams import Hyperparams
from agents.sharding import everywhere, placed_like, replicated
from experiments.errors import UserError
from experiments.regimes import REGIMES
from experiments.results import Cell, Table
from experiments.sinks import Sinks
from experiments.specs import CellSpec

Report = Callable[[dict[str, Any]], None]


def run_cell(
    study: Path,
    spec: CellSpec,
    report: Report = lambda news: None,
    log: Sequence[str] = (),
) -> str:
    """Trains every seed of a cell in one vmapped program and stores the results.

    Idempotent: returns "skipped" if the cell was finished before, "busy" if another process is at
    work on it, else "finished". A run that was cut off goes on after its last finished segment.
    `report` is called with a dict of news after each stage; `log` names `experiments.sinks`.
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
        with Sinks(log, cell) as sinks:
            _train(cell, report, sinks)
    return "finished"


def _train(cell: Cell, report: Report, sinks: Sinks) -> None:
    spec = cell.spec
    clock = time.perf_counter()
    trainer = REGIMES[spec.regime].trainer(spec)
    key_train, key_eval = lane_keys(spec.seeds)
    hyperparams = lane_hyperparams(spec)

    start_all = jax.jit(jax.vmap(partial(trainer.init, num_updates=spec.num_updates)))
    update = checkpoint.latest(cell.checkpoints) or 0
    if update:  # the beginning, which may be long, is not made again
        like = placed_like(trainer.mesh, jax.eval_shape(start_all, key_train, hyperparams))
        try:
            state = checkpoint.restore(cell.checkpoints, update, like)
        except checkpoint.CheckpointError as error:
            raise UserError(str(error)) from None
    else:
        state = replicated(trainer.mesh, start_all(key_train, hyperparams))
    hyperparams = replicated(trainer.mesh, hyperparams)
    rows = cell.rows_before(update)
    report({"stage": "compiling", "update": update})
    lanes = jax.vmap(partial(trainer.segment, num_updates=spec.updates_per_segment))
    placed = {"out_shardings": everywhere(trainer.mesh)} if trainer.mesh else {}
    advance = jax.jit(lanes, donate_argnums=0, **placed).lower(state, hyperparams).compile()
    compile_seconds = time.perf_counter() - clock

    clock = time.perf_counter()
    first_update = update
    while update < spec.num_updates:
        state, metrics = advance(state, hyperparams)
        new_rows = _rows(spec, update, jax.device_get(metrics), finite_lanes(state.params))
        cell.append(new_rows)
        rows += new_rows
        update += spec.updates_per_segment
        checkpoint.save(cell.checkpoints, update, state)
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

    report({"stage": "evaluating", "update": update})
    clock = time.perf_counter()
    evaluation = trainer.evaluate(state.params, key_eval)
    if trainer.export:
        trainer.export(cell.folder / "policy.npz", jax.device_get(state.params), spec.seeds)
    trained = (update - first_update) * spec.steps_per_update * len(spec.seeds)
    summary = {
        "compile_seconds": round(compile_seconds, 2),
        "train_seconds": round(train_seconds, 2),
        "eval_seconds": round(time.perf_counter() - clock, 2),
        "steps_per_second": round(trained / train_seconds) if trained else None,
        "parameters": sum(leaf[0].size for leaf in jax.tree.leaves(state.params)),
        "state_size": trainer.network.backbone.state_size(),
        "diverged": {str(row["seed"]): row["update"] for row in reversed(rows) if row["diverged"]},
    }
    cell.finish(_columns(rows), evaluation, summary)


def lane_keys(seeds: tuple[int, ...]) -> tuple[Any, Any]:
    """Keys for training and for evaluation, `[lanes]` each: lane i depends on its seed alone."""
    pairs = jax.vmap(lambda seed: jax.random.split(jax.random.key(seed)))(jnp.array(seeds))
    return pairs[:, 0], pairs[:, 1]


def lane_hyperparams(spec: CellSpec) -> Hyperparams:
    """The traced settings, one copy a lane."""
    lanes = len(spec.seeds)
    return Hyperparams(**{k: jnp.full((lanes,), v) for k, v in spec.hyperparams.items()})


def finite_lanes(params: Any) -> np.ndarray:
    """`[lanes]` bool: all parameters of the lane are numbers."""
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
