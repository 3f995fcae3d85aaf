"""Several devices share a batch of episodes, and nothing else changes."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys

import jax
import numpy as np

from agents.lm import LMConfig, make_train
from agents.hyperparams import Hyperparams
from agents.sharding import episode_mesh, replicated, placed
from tests.support.probes import TinyDeck
from tests.agents.test_lm import small_model

env = TinyDeck()
config = LMConfig(num_episodes=16, corpus=int(sys.argv[1]))
hyperparams = Hyperparams(learning_rate=1e-2)
assert len(jax.devices()) == 4 and episode_mesh(6).size == 3 and episode_mesh(1) is None
results = []
for mesh in (None, episode_mesh(16)):
    init, segment = make_train(env, small_model(env), config, mesh)
    out = {"out_shardings": replicated(mesh)} if mesh else {}
    state = jax.jit(lambda key: init(key, hyperparams, 4))(jax.random.key(0))
    state = placed(mesh and replicated(mesh), jax.tree.map(lambda leaf: leaf[None], state))
    train = jax.jit(jax.vmap(lambda state: segment(state, hyperparams, 4)), **out)
    program = train.lower(state).compile()
    assert ("all-reduce" in program.as_text()) == bool(mesh), "gradients of the parts are summed"
    results.append(jax.device_get(program(state)))
(alone, told), (together, told_together) = results
for a, b in zip(jax.tree.leaves(alone.params), jax.tree.leaves(together.params)):
    np.testing.assert_allclose(a, b, atol=2e-4)
for name in told:
    np.testing.assert_allclose(told[name], told_together[name], rtol=1e-3, err_msg=name)
np.testing.assert_allclose(told["loss"][0, 0], told_together["loss"][0, 0], rtol=1e-6)
np.testing.assert_allclose(told["grad_norm"][0, 0], told_together["grad_norm"][0, 0], rtol=1e-5)
print("the same")
"""


def in_four_devices(word, program=PROGRAM):
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
    return subprocess.run(
        [sys.executable, "-c", program, word],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
    )


@pytest.mark.slow
def test_four_devices_learn_what_one_does():
    """The same episodes, loss and gradients, from new episodes and from a corpus."""
    for corpus in ("0", "32"):
        done = in_four_devices(corpus)
        assert done.stdout.strip().endswith("the same"), done.stderr[-3000:]


@pytest.mark.slow  # by default: sharded steps
def test_the_command_shares_the_work_and_goes_on_after_a_stop(tmp_path):
    """A cell trained on four devices, cut off and run again there, is one run through."""
    program = """
import sys
from pathlib import Path

import numpy as np

from experiments.results.store import Cell
from experiments.train.run import run_cell
from tests.experiments.cli.test_lm import SMALL, cell

spec, out = cell("RepeatFirstEasy", "gru", SMALL, "lm"), Path(sys.argv[1])


def stop(news):
    if news["stage"] == "training":
        raise KeyboardInterrupt


try:
    run_cell(out / "stopped", spec, stop)
except KeyboardInterrupt:
    pass
tables = []
for name in ("stopped", "through"):
    assert run_cell(out / name, spec) == "finished"
    tables.append(Cell(out / name, spec).read()[1])
np.testing.assert_array_equal(tables[0]["nats"], tables[1]["nats"])
print("the same")
"""
    done = in_four_devices(str(tmp_path), program)
    assert done.stdout.strip().endswith("the same"), done.stderr[-3000:]
