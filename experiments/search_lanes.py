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
from agents.sharding import placed_like
from experiments.errors import UserError
from experiments.regimes import Trainer
from experiments.results import Table
from experiments.search_plan import Plan
from experiments.search_space import Point
from experiments.specs import DEFAULT_HYPERPARAMS
from experiments.train import finite_lanes, lane_keys

Report = Callable[[int, float], None]


class Program(NamedTuple):
    """init: `(keys, hyperparams, num_updates) -> state`. advance: `(state, hyperparams) ->
    (state, metrics)`. Both are compiled, and of `lanes` lanes; how long a run is, is traced.

    state: shapes of the state.
    """

    init: Callable[..., Any]
    advance: Callable[..., Any]
    state: Any
    headline: str
    lanes: int
    compile_seconds: float


def compile_lanes(trainer: Trainer, plan: Plan) -> Program:
    """Compiles a program once for all heats of a plan."""
    clock = time.perf_counter()
    keys = jax.eval_shape(lambda: lane_keys(tuple(range(plan.lanes)))[0])
    number = jax.ShapeDtypeStruct((plan.lanes,), jnp.float32)
    hyperparams = Hyperparams(**dict.fromkeys(DEFAULT_HYPERPARAMS, number))
    length = jax.ShapeDtypeStruct((), jnp.int32)
    start = jax.jit(jax.vmap(trainer.init, in_axes=(0, 0, None)))
    init = start.lower(keys, hyperparams, length).compile()
    state = jax.eval_shape(start, keys, hyperparams, length)
    lanes = jax.vmap(partial(trainer.segment, num_updates=plan.updates_per_segment))
    advance = jax.jit(lanes, donate_argnums=0).lower(state, hyperparams).compile()
    seconds = time.perf_counter() - clock
    return Program(init, advance, state, trainer.headline, plan.lanes, seconds)


def run_heat(
    program: Program,
    plan: Plan,
    number: int,
    points: Sequence[Point],
    folder: Path,
    report: Report = lambda updates, best: None,
) -> Table:
    """Trains every point on every seed of heat `number`; goes on after the last segment in
    `folder` if that was of this heat.

    Returns one line a point and seed: `point` (its place in `points`), `seed`, `score`,
    `diverged`. `report` is told of the updates made and of the best point's score so far.
    """
    heat = plan.heats[number]
    point, seed = (a.ravel() for a in np.indices((len(points), len(heat.seeds))))
    lane = np.arange(program.lanes) % len(point)  # lanes too many do again what others do
    seeds = np.array(heat.seeds)[seed]
    keys, _ = lane_keys(tuple(seeds[lane].tolist()))
    columns = {k: [p.get(k, v) for p in points] for k, v in DEFAULT_HYPERPARAMS.items()}
    hyperparams = Hyperparams(
        **{k: jnp.asarray(v, jnp.float32)[point[lane]] for k, v in columns.items()}
    )

    longest = max(h.num_updates for h in plan.heats)
    stride = longest // plan.updates_per_segment + 1  # checkpoints of a heat have its numbers
    step = checkpoint.latest(folder) or 0
    if step // stride == number and step % stride:
        record = jax.ShapeDtypeStruct((program.lanes, longest), jnp.float32)
        like = placed_like(None, {"state": program.state, "returns": record})
        try:
            saved = checkpoint.restore(folder, step, like)
        except checkpoint.CheckpointError as error:
            raise UserError(str(error)) from None
        state, returns = saved["state"], np.array(saved["returns"])
    else:
        step = number * stride
        state = program.init(keys, hyperparams, jnp.int32(heat.num_updates))
        returns = np.full((program.lanes, longest), np.nan, np.float32)

    while (update := (step % stride) * plan.updates_per_segment) < heat.num_updates:
        state, metrics = program.advance(state, hyperparams)
        new = update + plan.updates_per_segment
        returns[:, update:new] = jax.device_get(metrics[program.headline])
        step += 1
        checkpoint.save(folder, step, {"state": state, "returns": jnp.asarray(returns)})
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
