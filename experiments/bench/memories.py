"""How fast the memory models are, beside Flax's own recurrent cells in the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agents.memory import MEMORIES, Memory
from experiments.bench.envs import (
    compiled,
    device_words,
    rate_words,
    timed,
    timed_by_turns,
    write_json,
)

ROLLOUT_STEPS = 16
GROWTH_LENGTHS = (2048, 8192)


class FlaxRNN(Memory):
    """`flax.linen.RNN` over one of Flax's cells: what to be faster than. It ignores `start`."""

    cell: type[nn.RNNCellBase] = nn.GRUCell

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        cell = self.cell(self.features, parent=None)
        return cell.initialize_carry(jax.random.key(0), (batch_size, self.features))

    @nn.compact
    def __call__(
        self, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B features"]]:
        rnn = nn.RNN(self.cell(self.features), time_major=True, return_carry=True)
        return rnn(x, initial_carry=carry)


REFERENCES: dict[str, Callable[[int], Memory]] = {
    "flax GRUCell": lambda features: FlaxRNN(features, nn.GRUCell),
    "flax OptimizedLSTMCell": lambda features: FlaxRNN(features, nn.OptimizedLSTMCell),
}
CELLS = {"gru": (nn.GRUCell,), "lstm": (nn.LSTMCell, nn.OptimizedLSTMCell)}


def bench_memories(
    names: Sequence[str] = (),
    out: Path | None = None,
    features: int = 256,
    batch: int = 16,
    length: int = 1024,
    num_envs: int = 1024,
    repeats: int = 5,
    growth: bool = False,
    console: Console | None = None,
) -> list[dict[str, Any]]:
    """One row a model, all if none is named; printed, and written to `out` as JSON.

    Each model runs forward and backward, with respect to parameters and inputs, over `[length,
    batch, features]` with one start in the middle, and one step at a time for `num_envs`
    environments. growth: also how the memory of the gradient grows from 2,048 to 8,192 steps.
    """
    console = console or Console()
    builders = {name: MEMORIES[name] for name in names or MEMORIES}
    rows = []
    for name, build in track(
        [*REFERENCES.items(), *builders.items()], "memories", console=console, transient=True
    ):
        rows.append(bench_memory(name, build(features), batch, length, num_envs, repeats, growth))
    console.print(speed_table(rows))
    for row in rows:
        if row["memory"] in CELLS:
            build = builders[row["memory"]]
            row["faster_than_flax"] = beside_flax(
                row["memory"], build(features), batch, length, 3 * repeats, console
            )
    if out is not None:
        settings = {"features": features, "batch": batch, "length": length, "num_envs": num_envs}
        write_json(out, {"device": device_words(), **settings, "rows": rows})
    return rows


def bench_memory(
    name: str,
    memory: Memory,
    batch: int,
    length: int,
    num_envs: int,
    repeats: int,
    growth: bool = False,
) -> dict[str, Any]:
    """One row of `bench_memories`. Memory is what XLA's plan of the program needs at its peak."""
    params = jax.jit(memory.init)(jax.random.key(0), *inputs(memory, 1, 1))
    args = params, *inputs(memory, length, batch)
    learn, learn_compile = compiled(jax.jit(learning(memory)), *args)
    learn_seconds, _ = timed(lambda _: learn(*args), range(repeats + 1))
    act_args = params, *inputs(memory, ROLLOUT_STEPS, num_envs)
    act, act_compile = compiled(jax.jit(acting(memory)), *act_args)
    act_seconds, _ = timed(lambda _: act(*act_args), range(repeats + 1))
    row = {
        "memory": name,
        "parameters": sum(leaf.size for leaf in jax.tree.leaves(params)),
        "state": memory.state_size(),
        "learn_seconds": learn_seconds,
        "learn_compile_seconds": learn_compile,
        "learn_bytes": peak_bytes(learn),
        "tokens_per_second": batch * length / learn_seconds,
        "act_seconds": act_seconds / ROLLOUT_STEPS,
        "act_compile_seconds": act_compile,
        "env_steps_per_second": num_envs * ROLLOUT_STEPS / act_seconds,
    }
    if growth:
        row["growth_bytes"] = [gradient_bytes(memory, steps, batch) for steps in GROWTH_LENGTHS]
    return row


def beside_flax(
    name: str, memory: Memory, batch: int, length: int, turns: int, console: Console
) -> dict[str, list[float]]:
    """How many times as fast as Flax's cells of the same kind, forward and backward, alternating:
    the quartiles of the ratio. Printed."""
    calls = []
    for model in (memory, *(FlaxRNN(memory.features, cell) for cell in CELLS[name])):
        args = (
            jax.jit(model.init)(jax.random.key(0), *inputs(model, 1, 1)),
            *inputs(model, length, batch),
        )
        program, _ = compiled(jax.jit(learning(model)), *args)
        calls.append(lambda _, program=program, args=args: program(*args))
    seconds, _ = timed_by_turns(calls, range(turns + 1))
    ratios = {}
    for cell, theirs in zip(CELLS[name], seconds[1:], strict=True):
        low, middle, high = np.quantile(theirs / seconds[0], [0.25, 0.5, 0.75]).tolist()
        ratios[cell.__name__] = [low, middle, high]
        console.print(
            f"{name}: {middle:.2f} times as fast as flax {cell.__name__}, forward and backward "
            f"(quartiles {low:.2f} to {high:.2f} of {len(theirs)} turns)"
        )
    return ratios


def inputs(memory: Memory, length: int, batch: int) -> tuple[Any, Array, Array]:
    """A carry, inputs as wide as the memory, and one start in the middle."""
    x = jax.random.normal(jax.random.key(1), (length, batch, memory.features))
    start = jnp.zeros((length, batch), bool).at[length // 2].set(True)
    return memory.initial_carry(batch), x, start


def learning(memory: Memory) -> Callable[..., Any]:
    """Forward and backward with respect to parameters and inputs."""

    def loss(params, carry, x, start):
        _, y = memory.apply(params, carry, x, start)
        return jnp.mean(y**2)

    return jax.value_and_grad(loss, argnums=(0, 2))


def acting(memory: Memory) -> Callable[..., Any]:
    """One step after the other, as in a rollout."""

    def run(params, carry, x, start):
        def step(carry, inputs):
            x, start = inputs
            carry, y = memory.apply(params, carry, x[None], start[None])
            return carry, y[0]

        return jax.lax.scan(step, carry, (x, start))

    return run


def gradient_bytes(memory: Memory, length: int, batch: int) -> int:
    """Peak memory of the compiled gradient, which is not run."""
    args = jax.eval_shape(lambda: inputs(memory, length, batch))
    params = jax.eval_shape(memory.init, jax.random.key(0), *args)
    return peak_bytes(jax.jit(learning(memory)).lower(params, *args).compile())


def peak_bytes(program: Any) -> int | None:
    """Bytes of arguments, results and temporaries, as XLA planned them. (Its own
    `peak_memory_in_bytes` leaves the temporaries out on a CPU.)"""
    plan = program.memory_analysis()
    if plan is None:
        return None
    held = plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes
    return held + plan.temp_size_in_bytes


def speed_table(rows: Sequence[dict[str, Any]]) -> Table:
    """All rows; the ratio is to Flax's GRU cell."""
    table = Table(title=f"memory models, {device_words()}")
    table.add_column("memory", no_wrap=True)
    columns = ["parameters", "state", "fwd+bwd s", "tokens/s", "x GRUCell", "MB", "compile s"]
    columns += ["step ms", "env steps/s", "compile s"]
    if "growth_bytes" in rows[0]:
        columns += [f"MB at {GROWTH_LENGTHS[0]:,}", f"x at {GROWTH_LENGTHS[1]:,}"]
    for name in columns:
        table.add_column(name, justify="right")
    for row in rows:
        cells = [
            f"{row['parameters']:,}",
            f"{row['state']:,}",
            f"{row['learn_seconds']:.3f}",
            rate_words(row["tokens_per_second"]),
            f"{rows[0]['learn_seconds'] / row['learn_seconds']:.2f}",
            f"{(row['learn_bytes'] or 0) / 1e6:.0f}",
            f"{row['learn_compile_seconds']:.1f}",
            f"{1e3 * row['act_seconds']:.2f}",
            rate_words(row["env_steps_per_second"]),
            f"{row['act_compile_seconds']:.1f}",
        ]
        if "growth_bytes" in row:
            short, long = (number or 0 for number in row["growth_bytes"])
            cells += [f"{short / 1e6:.0f}", f"{long / max(short, 1):.2f}"]
        table.add_row(row["memory"], *cells)
    return table
