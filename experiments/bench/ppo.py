"""How fast PPO trains: end to end, its update against what the machine can multiply, many lanes in
one program, and beside the plain way of writing it."""

from __future__ import annotations

import dataclasses
import os
import resource
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

from agents import ppo
from agents.agent import Agent
from agents.gae import gae
from agents.hyperparams import Hyperparams
from agents.networks import ActorCritic
from agents.ppo import PPOConfig
from agents.rollout import collect
from agents.surrogate import Batch
from experiments.bench import baseline_ppo
from experiments.bench.envs import (
    both_clocks,
    compiled,
    device_words,
    rate_words,
    timed_by_turns,
    write_json,
)
from experiments.bench.flops import product_flops
from experiments.bench.startup import begin_training, first_starts
from experiments.results.spec import CellSpec, NetworkConfig, Settings
from experiments.train.build import build
from experiments.train.cell import cell
from experiments.train.compile import lane_hyperparams
from popjax.core import Environment


def tables(rows: Sequence[dict[str, Any]]) -> list[Table]:
    """Medians, with quartiles where they are ratios; "CPU" for ratios of processor time."""
    lanes = rows[0]["lanes"]
    one = ("steps/s", "plain", "times plain", "CPU", f"{lanes} lanes", "times one's time", "CPU")
    rest = ("update s", "GFLOP/s", "peak", "of peak %", "CPU %", "compile s", "new process s")
    rest += ("second s", "of it JAX s", "MB", f"MB a lane of {lanes}", "process MB")
    speeds, costs = Table(title=f"PPO, environment steps per second, {device_words()}"), Table()
    for table, names in ((speeds, one), (costs, rest)):
        table.add_column("environment", no_wrap=True)
        table.add_column("memory", no_wrap=True)
        for name in names:
            table.add_column(name, justify="right")
    for row in rows:
        speeds.add_row(
            row["env"],
            row["memory"],
            rate_words(row["steps_per_second"][1]),
            format_row(row, "plain_steps_per_second", rate_words),
            spread(row.get("times_plain"), 2),
            format_row(row, "times_plain_cpu", "{:.2f}".format),
            format_row(row, "lanes_steps_per_second", rate_words),
            spread(row.get("lanes_time"), 1),
            format_row(row, "lanes_time_cpu", "{:.1f}".format),
        )
        costs.add_row(
            row["env"],
            row["memory"],
            f"{row['update_seconds'][1]:.2f}",
            f"{row['update_flops'] / row['update_seconds'][1] / 1e9:.1f}",
            f"{row['peak_flops_per_second'][1] / 1e9:.1f}",
            spread([100 * share for share in row["share_of_peak"]], 0),
            f"{100 * row['share_of_peak_cpu'][1]:.0f}",
            f"{row['compile_seconds']:.1f}",
            format_row(row, "first_start_seconds", "{:.1f}".format),
            format_row(row, "second_start_seconds", "{:.1f}".format),
            format_row(row, "second_jax_seconds", "{:.1f}".format),
            f"{row['program_bytes'] / 1e6:.0f}",
            f"{row['lanes_program_bytes'] / lanes / 1e6:.1f}" if lanes > 1 else "",
            f"{row['process_bytes'] / 1e6:.0f}",
        )
    return [speeds, costs]


def format_row(row: dict[str, Any], name: str, write: Callable[[float], str]) -> str:
    """A number or the median of its quartiles, nothing if it was not measured."""
    number = row.get(name)
    if number is None:
        return ""
    return write(number[1] if isinstance(number, list) else number)


def spread(numbers: Sequence[float] | None, digits: int) -> str:
    """A median and its quartiles.

    >>> spread([1.0, 2.0, 3.0], 1)
    '2.0 (1.0 to 3.0)'
    """
    if numbers is None:
        return ""
    low, middle, high = (f"{number:.{digits}f}" for number in numbers)
    return f"{middle} ({low} to {high})"


SIDE = 2048  # of the square matrices whose product is taken for the machine's peak
PLAIN = {"gru": True, "mlp": False}  # the memories that the plain way has: do they recur?

Call = Callable[[Any], Any]


def bench_ppo(
    envs: Sequence[str],
    memories: Sequence[str],
    features: int,
    lanes: int,
    repeats: int,
    console: Console,
    out: Path | None = None,
    config: PPOConfig | None = None,
    starts: bool = True,
) -> list[dict[str, Any]]:
    """One row an environment and memory: 64 environments x 128 steps x 4 epochs x 8 minibatches,
    or `config`. starts: also begin training in new processes (`experiments.bench.startup`).
    Printed, and written to `out` as JSON."""
    rows = []
    network = NetworkConfig(features=features)
    settings = Settings(seeds=1, network=network, ppo=config or PPOConfig())
    for env_id in envs:
        for memory in memories:
            spec = cell(env_id, memory, settings)
            with console.status(f"{env_id}, {memory}"):
                row = {"env": env_id, "memory": memory, "load": os.getloadavg()[0]}
                rows.append(row | speed(spec, lanes, repeats))
                if starts:
                    rows[-1] |= first_starts(spec)
    console.print(*tables(rows), sep="\n")
    if out is not None:
        write_json(out, {"device": device_words(), "features": features, "rows": rows})
    return rows


def speed(spec: CellSpec, lanes: int, repeats: int) -> dict[str, Any]:
    """What one process can measure of a row.

    Everything takes turns; ratios are of calls of the same turn, as quartiles. `share_of_peak` is
    the floating-point operations a second of the update alone, over those of one product of two
    matrices of 2,048 x 2,048. `_cpu` are the same ratios of processor time, which other processes
    disturb less and to which a core left idle costs nothing. Program memory is what XLA plans for
    one update of all lanes.
    """
    one, compile_seconds, one_bytes = training(spec)
    update, update_flops = gradient_steps(*build(spec), spec.settings.ppo)
    calls = {"one": one, "update": update, "product": product()}
    if plain := plain_training(spec):
        calls["plain"] = plain
    keys = list(jax.random.split(jax.random.key(0), repeats + 1))
    (wall, cpu), _ = timed_by_turns(list(calls.values()), keys, both_clocks)
    seconds, cpu_seconds = (dict(zip(calls, clock, strict=True)) for clock in (wall, cpu))
    steps, work = spec.settings.ppo.steps_per_update, update_flops / (2 * SIDE**3)
    row = {
        "turns": wall.shape[1],
        "compile_seconds": compile_seconds,
        "steps_per_second": quartiles(steps / seconds["one"]),
        "update_seconds": quartiles(seconds["update"]),
        "update_flops": update_flops,
        "peak_flops_per_second": quartiles(2 * SIDE**3 / seconds["product"]),
        "share_of_peak": quartiles(work * seconds["product"] / seconds["update"]),
        "share_of_peak_cpu": quartiles(work * cpu_seconds["product"] / cpu_seconds["update"]),
        "program_bytes": one_bytes,
        "lanes": lanes,
    }
    if lanes > 1:
        many, _, row["lanes_program_bytes"] = training(with_lanes(spec, lanes))
        both, _ = timed_by_turns([one, many], keys, both_clocks)
        row["lanes_steps_per_second"] = quartiles(steps * lanes / both[0, 1])
        row["lanes_time"], row["lanes_time_cpu"] = (quartiles(b / a) for a, b in both)
    if plain:
        row["plain_steps_per_second"] = quartiles(steps / seconds["plain"])
        row["times_plain"] = quartiles(seconds["plain"] / seconds["one"])
        row["times_plain_cpu"] = quartiles(cpu_seconds["plain"] / cpu_seconds["one"])
    return row | {"process_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}


def training(spec: CellSpec) -> tuple[Call, float, int]:
    """A call that makes one update of every lane, with donated buffers; the seconds that it took
    to have the first state and the program; and the bytes the program needs."""
    began = time.perf_counter()
    state, program = begin_training(spec)
    seconds = time.perf_counter() - began
    hyperparams = program.put(lane_hyperparams(spec))

    def call(_):
        nonlocal state
        state, metrics = program.advance(state, hyperparams)
        return metrics

    plan = program.advance.memory_analysis()
    needed = plan.temp_size_in_bytes + plan.argument_size_in_bytes if plan else 0
    return call, seconds, needed


def with_lanes(spec: CellSpec, lanes: int) -> CellSpec:
    """The same cell with so many seeds side by side."""
    return dataclasses.replace(spec, settings=dataclasses.replace(spec.settings, seeds=lanes))


def gradient_steps(env: Environment, network: ActorCritic, config: PPOConfig) -> tuple[Call, int]:
    """PPO's gradient steps on one rollout, as a call of a key, and their matrix products in
    floating-point operations."""
    init, _ = ppo.make_train(env, network, config)
    agent, hyperparams = Agent.of(env, network, config.inputs), Hyperparams()

    @jax.jit
    def data(key):
        state = init(key, hyperparams, num_updates=1000)
        actor, rows, _ = collect(env, agent, state.params, state.actor, key, config.num_steps)
        bootstrap = agent.value(
            state.params, actor.carry, actor.obs, actor.start, actor.previous_action
        )
        targets = gae(rows.reward, rows.value, rows.last, bootstrap, 0.99, 0.95)
        return state, Batch(state.actor.carry, rows, *targets)

    def update(key, state, batch):
        return ppo.update_epochs(agent, config, state, hyperparams, batch, key)

    state, batch = data(jax.random.key(0))
    args = jax.random.key(0), state, batch
    program, _ = compiled(jax.jit(update), *args)
    return lambda key: program(key, state, batch), product_flops(update, *args)


def product() -> Call:
    """The product that is taken for the machine's peak."""
    a = jax.random.normal(jax.random.key(0), (SIDE, SIDE))
    multiply = jax.jit(lambda a: a @ a)
    return lambda _: multiply(a)


def plain_training(spec: CellSpec) -> Call | None:
    """A call that makes one update of the plain baseline, if it has that memory."""
    env, size = build(spec)[0], spec.settings.network
    if spec.memory not in PLAIN or env.action_space.shape:
        return None
    init, segment = baseline_ppo.make_train(
        baseline_ppo.plain(env), spec.settings.ppo, size.features, size.head_features,
        recurrent=PLAIN[spec.memory],
    )  # fmt: skip
    state = jax.jit(partial(init, num_updates=1000))(jax.random.key(0))
    program, _ = compiled(jax.jit(partial(segment, num_updates=1), donate_argnums=0), state)

    def call(_):
        nonlocal state
        state, metrics = program(state)
        return metrics

    return call


def quartiles(numbers: np.ndarray) -> list[float]:
    return np.quantile(numbers, [0.25, 0.5, 0.75]).tolist()
