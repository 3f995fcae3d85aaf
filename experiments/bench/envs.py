"""Speed of the environments here. Rates are medians of several calls, without compilation."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from popjax import ENVS, Environment, batch, make

STEPS = 256
LEAST_WORK = 4096  # environment steps of a call
PATIENCE = 20.0  # seconds


def num_steps(num_envs: int) -> int:
    """Steps per call: enough that the start of the program hardly counts."""
    return max(STEPS, LEAST_WORK // num_envs)


def random_rollout(env: Environment, num_envs: int, renew: bool) -> Callable[[Any], Any]:
    """A jitted function of a key: `num_steps` random steps of `num_envs` environments, with
    automatic reset or without. Returns the sum of rewards and of episodes that ended, so that
    nothing can be left out."""

    @jax.jit
    def rollout(key):
        key_reset, key_actions, key_steps = jax.random.split(key, 3)
        states, _ = batch.reset(env, key_reset, num_envs)
        keys = jax.random.split(key_actions, (num_steps(num_envs), num_envs))
        actions = jax.vmap(jax.vmap(env.action_space.sample))(keys)

        def one_step(states, inputs):
            key, actions = inputs
            step = batch.step if renew else batch.advance
            states, timesteps = step(env, key, states, actions)
            seen = jnp.sum(timesteps.obs) * 0  # observations must be computed
            return states, (jnp.sum(timesteps.reward) + seen, jnp.sum(timesteps.last))

        _, sums = jax.lax.scan(one_step, states, (jax.random.split(key_steps, len(keys)), actions))
        return jax.tree.map(jnp.sum, sums)

    return rollout


def timed(call: Callable[[Any], Any], keys: Sequence[Any]) -> tuple[float, Any]:
    """Median seconds of a call over the keys, after the first, and the last result."""
    seconds, results = timed_by_turns([call], keys)
    return float(np.median(seconds[0])), results[0]


def timed_by_turns(
    calls: Sequence[Callable[[Any], Any]],
    keys: Sequence[Any],
    clock: Callable[[], Any] = time.perf_counter,
) -> tuple[np.ndarray, list[Any]]:
    """Seconds `[calls, keys - 1]` and the last results. Calls take turns, so that a slow moment
    of the machine meets all; no round begins once they took `PATIENCE` seconds. With
    `clock=both_clocks` the seconds are `[2, calls, keys - 1]`."""
    results = [jax.block_until_ready(call(keys[0])) for call in calls]
    rounds: list[list[Any]] = []
    end = time.perf_counter() + PATIENCE
    for key in keys[1:]:
        seconds = []
        for i, call in enumerate(calls):
            began = clock()
            results[i] = jax.block_until_ready(call(key))
            seconds.append(clock() - began)
        rounds.append(seconds)
        if time.perf_counter() > end:
            break
    return np.array(rounds).T, results


def both_clocks() -> np.ndarray:
    """The wall's time, and the processor's time of this process with all its threads: on a busy
    machine the second says more."""
    return np.array([time.perf_counter(), time.process_time()])


def compiled(function: Any, *args: Any) -> tuple[Any, float]:
    """The compiled program and the seconds it took to trace and compile. The command line keeps
    the persistent cache off here; with JAX_COMPILATION_CACHE_DIR set, the seconds mean little."""
    began = time.perf_counter()
    program = function.lower(*args).compile()
    return program, time.perf_counter() - began


def reference_rate(env_id: str, seconds: float = 0.5) -> float | None:
    """Steps/s of the reference package, one environment in a Python loop, or None without it."""
    try:
        import popgym.envs as reference
    except ImportError:
        return None
    env = getattr(reference, env_id)()
    env.action_space.seed(0)
    env.reset(seed=0)
    actions = [env.action_space.sample() for _ in range(1000)]
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for action in actions[:100]:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        steps += 100
    return steps / (time.perf_counter() - began)


def bench_envs(
    names: Sequence[str],
    widths: Sequence[int],
    repeats: int,
    console: Console,
    out: Path | None = None,
) -> list[dict[str, Any]]:
    """Random actions with automatic reset, for each environment and number of environments;
    printed, and written to `out` as JSON."""
    table = Table(title=f"environment steps per second, {device_words()}")
    table.add_column("environment", no_wrap=True)
    columns = ("envs", "steps/s", "without reset", "ratio", "resets/step", "compile s", "popgym")
    for name in columns:
        table.add_column(name, justify="right")
    rows = []
    for name in track(names or list(ENVS), "environments", console=console, transient=True):
        theirs = reference_rate(name)
        for width in widths:
            row = bench_env(name, make(name), width, repeats) | {"reference": theirs}
            rows.append(row)
            table.add_row(
                name,
                f"{width:,}",
                rate_words(row["rate"]),
                rate_words(row["rate_without_reset"]),
                f"{row['price_of_reset']:.2f}",
                f"{row['resets_per_step']:.4f}",
                f"{row['compile_seconds']:.1f}",
                rate_words(theirs) if theirs else "not installed",
            )
    console.print(table)
    if out is not None:
        write_json(out, {"device": device_words(), "steps": STEPS, "rows": rows})
    return rows


def bench_env(name: str, env: Environment, num_envs: int, repeats: int) -> dict[str, Any]:
    """One row of `bench_envs`."""
    keys = list(jax.random.split(jax.random.key(0), repeats + 1))
    steps = num_steps(num_envs) * num_envs
    program, compile_seconds = compiled(random_rollout(env, num_envs, renew=True), keys[0])
    bare, _ = compiled(random_rollout(env, num_envs, renew=False), keys[0])
    seconds, ((_, resets), _) = timed_by_turns([program, bare], keys)
    return {
        "env": name,
        "num_envs": num_envs,
        "rate": steps / float(np.median(seconds[0])),
        "rate_without_reset": steps / float(np.median(seconds[1])),
        "price_of_reset": float(np.median(seconds[0] / seconds[1])),
        "resets_per_step": float(resets) / steps,
        "compile_seconds": compile_seconds,
    }


def write_json(out: Path, content: dict[str, Any]) -> None:
    """Figures for other programs."""
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(content, indent=1) + "\n")


def device_words() -> str:
    """The devices at hand."""
    devices = jax.devices()
    cores = f" of {os.cpu_count()} cores" if devices[0].platform == "cpu" else ""
    return f"{len(devices)} x {devices[0].device_kind}{cores}"


def rate_words(rate: float) -> str:
    """A rate in three digits.

    >>> rate_words(12_345_678)
    '12.3M'
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if rate >= size:
            return f"{rate / size:.3g}{letter}"
    return f"{rate:.0f}"
