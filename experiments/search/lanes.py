"""All lanes of a search in one compiled program, heat after heat, and what each point scored."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from agents import checkpoint
from agents.hyperparams import Hyperparams
from agents.lanes import compiled, lane_keys
from agents.sharding import lane_mesh, lane_sharding, over_lanes, padded, placed, placed_like
from experiments.results.errors import UserError
from experiments.results.spec import DEFAULT_HYPERPARAMS
from experiments.results.store import Table
from experiments.search.halving import Plan
from experiments.search.space import Point
from experiments.train.objectives import Trainer
from experiments.train.run import finite_lanes, true_lanes

Report = Callable[[int, float], None]


class Program(NamedTuple):
    """init: `(keys, hyperparams, num_updates) -> state`. advance: `(state, hyperparams) ->
    (state, metrics)`. Both are compiled; how long a run is, is traced.

    put: makes of values of the `lanes` what they take: the lanes are dealt out to the devices.
    state: shapes of the state of the lanes.
    """

    init: Callable[..., Any]
    advance: Callable[..., Any]
    put: Callable[[Any], Any]
    state: Any
    headline: str
    lanes: int
    compile_seconds: float


def compile_lanes(trainer: Trainer, plan: Plan) -> Program:
    """Compiles a program once for all heats of a plan."""
    clock = time.perf_counter()
    mesh = lane_mesh(plan.lanes)
    place = lane_sharding(mesh) if mesh else None
    out = {"out_shardings": place} if place else {}
    values = (
        lane_keys(tuple(range(plan.lanes)))[0],
        lane_hyperparams([{}], np.zeros(plan.lanes, int)),
        jnp.zeros(plan.lanes, jnp.int32),
    )
    shapes = jax.eval_shape(jax.vmap(trainer.init), *values)
    wide = placed_like(place, jax.eval_shape(partial(padded, mesh), values))
    start = jax.jit(over_lanes(mesh, trainer.init), **out)
    state = placed_like(place, jax.eval_shape(start, *wide))
    segment = partial(trainer.segment, num_updates=plan.updates_per_segment)
    advance = jax.jit(over_lanes(mesh, segment), donate_argnums=0, **out)
    start, advance = compiled(lambda: start.lower(*wide), lambda: advance.lower(state, wide[1]))
    return Program(
        start,
        advance,
        lambda tree: placed(place, padded(mesh, tree)),
        placed_like(None, shapes),
        trainer.headline,
        plan.lanes,
        time.perf_counter() - clock,
    )


def lane_hyperparams(points: Sequence[Point], point: np.ndarray) -> Hyperparams:
    """The traced settings of the point of each lane; where it says nothing, the defaults."""
    columns = {k: [p.get(k, v) for p in points] for k, v in DEFAULT_HYPERPARAMS.items()}
    return Hyperparams(**{k: jnp.asarray(v, jnp.float32)[point] for k, v in columns.items()})


def run_heat(
    program: Program,
    plan: Plan,
    number: int,
    points: Sequence[Point],
    folder: Path,
    report: Report = lambda updates, best: None,
    check: Callable[[], None] = lambda: None,
) -> Table:
    """Trains every point on every seed of heat `number`; resumes after the last segment in
    `folder` if that was of this heat.

    Returns one line per point and seed: `point` (its place in `points`), `seed`, `score`,
    `diverged`. `report` gets the updates made and of the best point's score so far. `check`
    is called before each checkpoint is written, and raises if it must not be.
    """
    heat = plan.heats[number]
    point, seed = (a.ravel() for a in np.indices((len(points), len(heat.seeds))))
    lane = np.arange(program.lanes) % len(point)  # lanes too many do again what others do
    seeds = np.array(heat.seeds)[seed]
    keys, _ = lane_keys(tuple(seeds[lane].tolist()))
    hyperparams = lane_hyperparams(points, point[lane])

    longest = max(h.num_updates for h in plan.heats)
    stride = longest // plan.updates_per_segment + 1  # checkpoints of a heat have its numbers
    try:
        step = checkpoint.latest(folder) or 0
    except checkpoint.CheckpointError as error:
        raise UserError(str(error)) from None
    if step // stride == number and step % stride:
        record = jax.ShapeDtypeStruct((program.lanes, longest), jnp.float32)
        try:
            like = {"state": program.state, "returns": placed_like(None, record)}
            saved = checkpoint.restore(folder, step, like)
        except checkpoint.CheckpointError as error:
            raise UserError(str(error)) from None
        if np.any(np.asarray(saved["state"].update) != (step % stride) * plan.updates_per_segment):
            raise UserError(f"{folder} holds another update than it says: remove that folder")
        state, returns = program.put(saved["state"]), np.array(saved["returns"])
    else:
        step = number * stride
        length = jnp.full(program.lanes, heat.num_updates, jnp.int32)
        state = program.init(*program.put((keys, hyperparams, length)))
        returns = np.full((program.lanes, longest), np.nan, np.float32)

    hyperparams = program.put(hyperparams)
    while (update := (step % stride) * plan.updates_per_segment) < heat.num_updates:
        state, metrics = program.advance(state, hyperparams)
        new = update + plan.updates_per_segment
        returns[:, update:new] = jax.device_get(metrics[program.headline])[: program.lanes]
        step += 1
        lanes = true_lanes(state, program.lanes)
        check()
        checkpoint.save(folder, step, {"state": lanes, "returns": jnp.asarray(returns)})
        by_point = final_return(returns[: len(point), :new]).reshape(len(points), -1).mean(axis=1)
        report(new, float(np.nanmax(by_point)) if np.isfinite(by_point).any() else math.nan)

    diverged = ~finite_lanes(state.params)[: len(point)]
    score = final_return(returns[: len(point), : heat.num_updates])
    if not np.isfinite(score[~diverged]).any() and not diverged.all():
        raise UserError(
            f"no episode ended within {heat.num_updates * plan.steps_per_update:,} steps: "
            "give more --total-steps, or a smaller --eta"
        )
    return {
        "point": point,
        "seed": seeds,
        "score": np.where(diverged, np.nan, score).astype(np.float64),
        "diverged": diverged,
    }


def final_return(returns: np.ndarray) -> np.ndarray:
    """`[lanes]` of `[lanes, updates]`: the mean return over the last quarter of a run, of those
    updates in which an episode ended; over all of the run if none did there; not-a-number if none
    did at all.

    >>> nan = np.nan
    >>> final_return(np.array([[0, 0, 0, 0, 0, 0, 2, 4], [1, 3, nan, nan, nan, nan, nan, nan]]))
    array([3., 2.])
    """
    tail = returns[:, -max(1, returns.shape[1] // 4) :]
    return np.where(np.isfinite(tail).any(axis=1), _mean(tail), _mean(returns))


def _mean(returns: np.ndarray) -> np.ndarray:
    finite = np.isfinite(returns)
    count = finite.sum(axis=1)
    total = np.where(finite, returns, 0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
