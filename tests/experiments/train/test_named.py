"""The published settings: every value, the networks' shapes, and that they train."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory import MEMORIES
from experiments.cli.app import parse
from experiments.results.store import Cell
from experiments.train.build import build
from experiments.train.cell import cell
from experiments.train.run import run_cell
from experiments.train.settings.named import PAPER, paper, popjaxrl
from experiments.train.settings.presets import preset

KEY = jax.random.key(0)


def shapes(env, memory, settings):
    """The shape of every parameter, by path, and the parameters' maker."""
    spec = cell(env, memory, settings)
    env, network = build(spec)
    width = env.observation_space.flat_size + env.action_space.flat_size + 1
    x, start = jnp.zeros((1, 1, width)), jnp.ones((1, 1), bool)

    def init(key):
        return network.init(key, network.initial_carry(1), x, start)["params"]

    leaves = jax.tree_util.tree_leaves_with_path(jax.eval_shape(init, KEY))
    return {jax.tree_util.keystr(p, simple=True, separator="/"): v.shape for p, v in leaves}, init


def test_the_batches_are_those_of_the_paper():
    """65,536 transitions an update, minibatches of 8,192, 15 million steps."""
    for settings in (paper("", "gru"), popjaxrl("", "gru")):
        ppo = settings.ppo
        assert ppo.steps_per_update == 65_536 and settings.total_steps == 15_000_000
        assert ppo.steps_per_update / ppo.num_minibatches == 8_192
        assert cell("RepeatFirstEasy", "gru", settings).num_updates == 15_000_000 // 65_536
        assert (ppo.num_envs, ppo.num_epochs, ppo.schedule) == (64, 30, "constant")


@pytest.mark.slow
def test_the_paper_s_network():
    """Linear 128, linear 128, GRU 256, and two heads 256 -> 128 -> 128 -> out."""
    found, init = shapes("RepeatFirstEasy", "gru", PAPER)
    kernels = {k.removesuffix("/kernel"): v for k, v in found.items() if k.endswith("kernel")}
    dense = {k: v for k, v in kernels.items() if "memories" not in k}
    assert dense == {
        "backbone/encoder": (4 + 4 + 1, 128),
        "backbone/before_memory": (128, 128),
        **{f"{head}/Dense_0": (256, 128) for head in ("policy", "value")},
        **{f"{head}/Dense_1": (128, 128) for head in ("policy", "value")},
        "policy/Dense_2": (128, 4),
        "value/Dense_2": (128, 1),
    }
    assert not any("Norm" in name for name in found), "the layer norm has no weights"
    assert found["backbone/memories_0/recurrent"] == (256, 3 * 256)
    params = jax.jit(init)(KEY)
    square = params["backbone"]["before_memory"]["kernel"]
    np.testing.assert_allclose(square @ square.T, jnp.eye(128), atol=1e-4)
    for head, outputs in (("policy", 4), ("value", 1)):
        last = params[head]["Dense_2"]["kernel"]
        assert abs(last.std() - 0.01) < 4 * 0.01 / np.sqrt(2 * 128 * outputs)


@pytest.mark.parametrize("memory", MEMORIES)
def test_the_position_code_is_where_the_paper_has_it(memory):
    """Before the second linear layer, for the five models that were published with one."""
    found, _ = shapes("RepeatFirstEasy", memory, PAPER)
    shares = [name for name in found if name.endswith("share")]
    coded = memory in ("pos_mlp", "frame_stack", "tcn", "fart", "fwp")
    assert shares == (["backbone/position/share"] if coded else [])


def test_popjaxrl_s_network():
    """Dense 128, dense 256, GRU 256; four layers of S5."""
    found, _ = shapes("RepeatFirstEasy", "gru", popjaxrl("RepeatFirstEasy", "gru"))
    assert found["backbone/encoder_0/kernel"] == (9, 128)
    assert found["backbone/encoder_1/kernel"] == (128, 256)
    assert found["value/Dense_1/kernel"] == (128, 128)
    found, _ = shapes("RepeatFirstEasy", "s5", popjaxrl("RepeatFirstEasy", "s5"))
    assert sum(name.endswith("/C") for name in found) == 4


def test_every_named_value_holds_unless_another_is_given():
    words = "train RepeatFirstEasy --settings paper --total-steps 100000 --features 64"
    command = parse([*words.split(), "--num-envs", "64", "--hyperparams", "clip", "0.1"])
    spec = command.spec()
    assert spec.settings == dataclasses.replace(
        PAPER,
        total_steps=100_000,
        network=dataclasses.replace(PAPER.network, features=64),
        hyperparams=PAPER.hyperparams | {"clip": 0.1},
    )


def test_the_paper_s_table_is_one_sweep():
    chosen = preset("paper")
    assert len(chosen.envs) == 48 and len(chosen.memories) == len(MEMORIES)
    assert chosen.settings_of("RepeatFirstEasy", "gru") == PAPER and PAPER.seeds == 3


@pytest.mark.slow  # by default: the other tests of this file
def test_it_trains(tmp_path):
    """The paper's program at a tenth of the width and two of its updates."""
    words = "train RepeatFirstEasy --settings paper --total-steps 1024 --features 16 --seeds 1"
    small = "--head-features 8 --num-envs 8 --num-steps 64 --num-epochs 2 --num-minibatches 2"
    spec = parse([*words.split(), *small.split(), "--eval-episodes", "8"]).spec()
    assert run_cell(tmp_path, spec) == "finished"
    metrics, _, summary = Cell(tmp_path, spec).read()
    assert len(metrics["loss"]) == 2 and np.isfinite(metrics["loss"]).all()
    assert summary["diverged"] == {} and metrics["first_ratio_error"].max() < 1e-4
