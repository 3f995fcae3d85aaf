"""The benches of memory models, at the smallest sizes."""

import io
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from agents.memory import MEMORIES
from experiments.bench.capability import learn_memories
from experiments.bench.memories import REFERENCES, bench_memories
from experiments.bench.memory_tasks import TESTED


@pytest.mark.slow
def test_speed(tmp_path):
    written = io.StringIO()
    rows = bench_memories(
        ["min_gru"], tmp_path / "new" / "speed.json", features=8, batch=2, length=8, num_envs=4,
        repeats=1, console=Console(file=written, width=200),
    )  # fmt: skip
    assert [row["memory"] for row in rows] == [*REFERENCES, "min_gru"]
    stored = json.loads((tmp_path / "new" / "speed.json").read_text())
    assert stored["rows"] == rows and stored["features"] == 8
    for row in rows:
        assert row["tokens_per_second"] == pytest.approx(16 / row["learn_seconds"])
        assert row["env_steps_per_second"] == pytest.approx(4 / row["act_seconds"])
        assert row["learn_bytes"] > 4 * row["parameters"]
        assert row["memory"] in written.getvalue()


def test_the_reference_is_as_large():
    """Flax's GRU cell has as many parameters as our GRU: the race is between equals."""
    ours, theirs = MEMORIES["gru"](8), REFERENCES["flax GRUCell"](8)
    x, start = jax.random.normal(jax.random.key(0), (20, 3, 8)), jnp.zeros((20, 3), bool)
    params = jax.jit(theirs.init)(jax.random.key(1), theirs.initial_carry(3), x, start)
    shape = jax.eval_shape(ours.init, jax.random.key(1), ours.initial_carry(3), x, start)
    count = [sum(p.size for p in jax.tree.leaves(tree)) for tree in (params, shape)]
    assert count[0] == count[1]
    carry, y = jax.jit(theirs.apply)(params, theirs.initial_carry(3), x, start)
    assert y.shape == (20, 3, 8)
    np.testing.assert_array_equal(carry, y[-1])


@pytest.mark.slow
def test_learning(tmp_path):
    written = io.StringIO()
    rows = learn_memories(
        ["mlp"], tmp_path / "learn.json", parameters=2000, steps=3, batch=2,
        console=Console(file=written, width=200),
    )  # fmt: skip
    (row,) = rows
    assert row["parameters"] <= 2000 and set(row["scores"]) == set(TESTED)
    assert all(0 <= score <= 1 for score in row["scores"].values())
    assert json.loads((tmp_path / "learn.json").read_text())["rows"] == rows
    assert "long parity" in written.getvalue()
