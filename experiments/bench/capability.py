"""What the memory models can learn at equal size: copying, recalling, counting, parity."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Key
from rich.console import Console
from rich.progress import track
from rich.table import Table

from agents.memory import MEMORIES
from agents.networks import Backbone
from experiments.bench.envs import compiled, device_words, write_json
from experiments.bench.memory_tasks import CLASSES, INPUTS, TESTED, TRAINED, Examples
from experiments.train.widths import num_parameters, widest

TEST_BATCH = 64


class Reader(nn.Module):
    """`Backbone` and one linear map to the logits of the answer."""

    backbone: Backbone

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        return self.backbone.initial_carry(batch_size)

    @nn.compact
    def __call__(self, carry, x, start):
        carry, features = self.backbone(carry, x, start)
        return carry, nn.Dense(CLASSES, name="next_token")(features)


def network(name: str, features: int) -> Reader:
    """One memory with encoder, residual block and read-out."""
    return Reader(Backbone((MEMORIES[name](features),), feed_forward=features))


def learn_memories(
    names: Sequence[str] = (),
    out: Path | None = None,
    parameters: int = 40_000,
    steps: int = 600,
    batch: int = 32,
    learning_rate: float = 3e-3,
    seeds: int = 1,
    console: Console | None = None,
) -> list[dict[str, Any]]:
    """One row a model, all if none is named; printed, and written to `out` as JSON.

    Each model gets the largest width at which the whole network has at most `parameters`
    parameters, and learns each task by itself from `seeds` seeds, `steps` batches each, all in one
    compiled program. A score is the share of right answers on new sequences, the mean over seeds.
    """
    console = console or Console()
    settings = {"parameters": parameters, "steps": steps, "batch": batch}
    settings |= {"learning_rate": learning_rate, "seeds": seeds, "device": device_words()}
    rows = []
    for name in track(names or MEMORIES, "memories", console=console, transient=True):
        features = widest(lambda w, name=name: num_parameters(network(name, w), INPUTS), parameters)
        rows.append(learn(name, features, steps, batch, learning_rate, seeds))
        if out is not None:  # after each, since all take long
            write_json(out, {**settings, "rows": rows})
    console.print(score_table(rows))
    return rows


def learn(
    name: str, features: int, steps: int, batch: int, learning_rate: float, seeds: int
) -> dict[str, Any]:
    """One row of `learn_memories`."""
    model = network(name, features)
    run = jax.jit(partial(train_and_test, model, steps, batch, learning_rate))
    keys = jax.random.split(jax.random.key(0), seeds)
    program, compile_seconds = compiled(run, keys)
    began = time.perf_counter()
    losses, scores = jax.tree.map(np.asarray, program(keys))
    return {
        "memory": name,
        "features": features,
        "parameters": num_parameters(model, INPUTS),
        "state": model.backbone.state_size(),
        "scores": dict(zip(TESTED, scores.mean(axis=0).tolist(), strict=True)),
        "scores_by_seed": dict(zip(TESTED, scores.T.tolist(), strict=True)),
        "last_loss": dict(zip(TRAINED, losses.mean(axis=0).tolist(), strict=True)),
        "seconds": time.perf_counter() - began,
        "compile_seconds": compile_seconds,
    }


def train_and_test(
    model: Reader,
    steps: int,
    batch: int,
    learning_rate: float,
    keys: Key[Array, " S"],
) -> tuple[Float[Array, "S tasks"], Float[Array, "S tests"]]:
    """Last training losses, and scores by test, of all seeds and tasks side by side."""
    optimizer = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(optax.warmup_cosine_decay_schedule(0.0, learning_rate, steps // 10, steps)),
    )
    carry = model.initial_carry(batch)

    def logits(params, examples):
        carry = model.initial_carry(examples.start.shape[1])
        return model.apply(params, carry, examples.x, examples.start)[1]

    def loss(params, examples):
        errors = optax.softmax_cross_entropy_with_integer_labels(
            logits(params, examples), examples.target
        )
        return jnp.sum(errors * examples.counts) / jnp.sum(examples.counts)

    def draw(tasks, key, batch) -> Examples:
        """One batch of each task, stacked."""
        drawn = [task(key, batch) for task in tasks]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)

    def begin(key):
        x, start = jnp.zeros((1, batch, INPUTS)), jnp.zeros((1, batch), bool)
        params = model.init(key, carry, x, start)
        return params, optimizer.init(params)

    def improve(params, opt_state, examples):
        value, grads = jax.value_and_grad(loss)(params, examples)
        updates, opt_state = optimizer.update(grads, opt_state)
        return optax.apply_updates(params, updates), opt_state, value

    def step(state, key):
        params, opt_state, value = jax.vmap(improve)(*state, draw(TRAINED.values(), key, batch))
        return (params, opt_state), value

    def right(params, examples):
        correct = jnp.argmax(logits(params, examples), axis=-1) == examples.target
        return jnp.sum(correct & examples.counts) / jnp.sum(examples.counts)

    def one_seed(key):
        key_init, key_train, key_test = jax.random.split(key, 3)
        state = jax.vmap(begin)(jax.random.split(key_init, len(TRAINED)))
        (params, _), values = jax.lax.scan(step, state, jax.random.split(key_train, steps))
        tested = draw([task for task, _ in TESTED.values()], key_test, TEST_BATCH)
        trained_on = jnp.array([list(TRAINED).index(name) for _, name in TESTED.values()])
        scores = jax.vmap(right)(jax.tree.map(lambda p: p[trained_on], params), tested)
        return values[-max(1, steps // 20) :].mean(axis=0), scores

    return jax.vmap(one_seed)(keys)


def score_table(rows: Sequence[dict[str, Any]]) -> Table:
    """Accuracy in percent."""
    table = Table(title=f"share of right answers, %, {device_words()}")
    table.add_column("memory", no_wrap=True)
    for name in ("width", "parameters", "state", *TESTED, "seconds", "compile s"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            row["memory"],
            f"{row['features']}",
            f"{row['parameters']:,}",
            f"{row['state']:,}",
            *(f"{100 * row['scores'][task]:.0f}" for task in TESTED),
            f"{row['seconds']:.0f}",
            f"{row['compile_seconds']:.0f}",
        )
    return table
