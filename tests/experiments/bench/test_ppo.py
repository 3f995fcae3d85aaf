"""The bench of PPO at the smallest size, the plain PPO it measures against, and how it counts."""

import io
import json
import time
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import popjax
from agents.hyperparams import Hyperparams
from agents.ppo import PPOConfig
from experiments.bench import baseline_ppo
from experiments.bench import ppo as measured
from experiments.bench.flops import product_flops
from experiments.bench.ppo import bench_ppo
from experiments.bench.startup import begin_training
from experiments.results.spec import NetworkConfig, Settings
from experiments.train.build import build
from experiments.train.cell import cell

TINY = PPOConfig(num_envs=4, num_steps=8, num_epochs=2, num_minibatches=2)
EASY = popjax.make("RepeatPreviousEasy")


@pytest.mark.slow  # five programs to compile
def test_the_whole_bench(tmp_path):
    written = io.StringIO()
    rows = bench_ppo(
        ["RepeatPreviousEasy"], ["mlp"], features=8, lanes=2, repeats=2,
        console=Console(file=written, width=200), out=tmp_path / "ppo.json", config=TINY,
    )  # fmt: skip
    (row,) = rows
    stored = json.loads((tmp_path / "ppo.json").read_text())["rows"]
    assert stored == rows
    low, middle, high = row["steps_per_second"]
    assert 0 < low <= middle <= high
    assert row["lanes_program_bytes"] < 2.2 * row["program_bytes"]
    assert row["second_start_seconds"] < row["first_start_seconds"]


def test_what_is_told_of_the_turns(tmp_path, monkeypatch):
    """With programs that take known times: rates, ratios and tables."""

    def taking(milliseconds):
        return lambda _: time.sleep(milliseconds / 1000)

    def training(spec):
        lanes = len(spec.seeds)
        return taking(10 * lanes), 5.0, 1_000_000 * lanes

    monkeypatch.setattr(measured, "training", training)
    monkeypatch.setattr(measured, "gradient_steps", lambda *_: (taking(5), 32_000_000))
    monkeypatch.setattr(measured, "product", lambda: taking(10))
    monkeypatch.setattr(measured, "plain_training", lambda _: taking(40))
    monkeypatch.setattr(measured, "SIDE", 400)  # 128 million operations in 10 ms
    written = io.StringIO()
    for lanes in (1, 4):
        rows = bench_ppo(
            ["RepeatPreviousEasy"], ["gru"], features=8, lanes=lanes, repeats=3,
            console=Console(file=written, width=200), out=tmp_path / "ppo.json", starts=False,
        )  # fmt: skip
    (row,) = rows
    assert json.loads((tmp_path / "ppo.json").read_text())["rows"] == rows
    assert 1 < row["times_plain"][1] < 20 and 1 < row["lanes_time"][1] < 20
    assert 0.02 < row["share_of_peak"][1] < 10  # half, on a quiet machine
    assert row["lanes_program_bytes"] == 4 * row["program_bytes"]
    for word in ("steps/s", "times plain", "of peak", "1 lanes", "4 lanes", "MB a lane of 4"):
        assert word in written.getvalue()


@pytest.mark.slow  # by default: the plain way learns
def test_the_state_is_donated():
    """The program of an update writes the next state over the last one."""
    settings = Settings(seeds=1, network=NetworkConfig(features=8), ppo=TINY)
    state, program = begin_training(cell("RepeatPreviousEasy", "mlp", settings))
    advance = program.advance
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert advance.memory_analysis().alias_size_in_bytes >= held
    assert "callback" not in advance.as_text()


def test_the_plain_deck_is_the_same_task():
    """Every card once, and the rewards of its own rule: naming the right suit earns 1."""
    env = baseline_ppo.plain(EASY)

    @jax.jit
    def perfect(key):
        state, timestep = env.reset(key)

        def step(state, _):
            answer = state.cards[state.dealt - env.k]
            state, timestep = env.step(key, state, answer)
            return state, timestep

        state, timesteps = jax.lax.scan(step, state, None, env.max_steps)
        return state, jnp.append(timesteps.obs, timestep.obs), timesteps

    _, suits, timesteps = perfect(jax.random.key(0))
    assert np.bincount(suits).tolist() == [13] * 4
    assert timesteps.reward.sum() == pytest.approx(1)
    assert timesteps.last.tolist() == [False] * (env.max_steps - 1) + [True]


@pytest.mark.slow
def test_the_plain_way_learns_and_is_as_large():
    """On a deck to be named as it is seen, and with the parameters of the agent it is beside."""
    config = PPOConfig(num_envs=16, num_steps=16, num_epochs=4, num_minibatches=2)
    env = baseline_ppo.ShuffledRepeatPrevious(k=1)
    init, segment = baseline_ppo.make_train(
        env, config, 16, 16, hyperparams=Hyperparams(learning_rate=3e-3)
    )
    run = jax.jit(lambda key: segment(init(key, 40), 40))
    (learner, *_), rewards = run(jax.random.key(0))
    episodes = env.max_steps * rewards  # what an episode earns: -0.5 by chance, 1 at best
    assert episodes[0] < -0.3 and episodes[-5:].mean() > 0.8
    settings = Settings(network=NetworkConfig(features=16, head_features=16))
    env, agent = build(cell("RepeatPreviousEasy", "gru", settings))
    x, start = jnp.zeros((1, 1, 9)), jnp.ones((1, 1), bool)
    shape = jax.eval_shape(agent.init, jax.random.key(0), agent.initial_carry(1), x, start)
    ours, theirs = (
        sum(leaf.size for leaf in jax.tree.leaves(tree)) for tree in (shape, learner.params)
    )
    assert ours - theirs == 2 * 2 * 16  # two norms


def test_products_are_counted_in_loops_branches_and_gradients():
    a, b = jnp.ones((2, 3)), jnp.ones((3, 5))

    def loops(a, b):
        return jax.lax.fori_loop(0, 7, lambda _, c: c + jnp.sum(a @ b), 0.0)

    assert product_flops(loops, a, b) == 7 * 60
    branch = partial(jax.lax.cond, True, lambda a, b: a @ b, lambda a, b: jnp.zeros((2, 5)))
    assert product_flops(branch, a, b) == 60
    assert product_flops(jax.grad(lambda a, b: jnp.sum((a @ b) ** 2), (0, 1)), a, b) == 3 * 60
