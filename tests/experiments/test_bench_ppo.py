"""The bench of PPO at the smallest size, the plain PPO it measures against, and how it counts."""

import io
import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import popjax
from agents.hyperparams import Hyperparams
from agents.ppo import PPOConfig
from experiments import plain_ppo
from experiments.bench_ppo import bench_ppo
from experiments.bench_ppo_table import tables
from experiments.bench_start import begin_training
from experiments.flops import product_flops
from experiments.specs import NetworkConfig, Settings, build, cell

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


def test_the_tables():
    """Medians of what was measured; what was not stays empty."""
    quartiles = [1.0, 2.0, 4.0]
    row = {
        "env": "RepeatPreviousEasy",
        "memory": "gru",
        "lanes": 1,
        "update_flops": 3e9,
        "compile_seconds": 5.0,
        "program_bytes": 7_000_000,
        "process_bytes": 9_000_000,
    }
    measured = ("steps_per_second", "update_seconds", "peak_flops_per_second", "share_of_peak")
    row |= dict.fromkeys((*measured, "share_of_peak_cpu"), quartiles)
    many = {"lanes": 16, "lanes_program_bytes": 32_000_000, "times_plain": quartiles}
    many |= dict.fromkeys(("lanes_steps_per_second", "lanes_time", "lanes_time_cpu"), quartiles)
    written = io.StringIO()
    Console(file=written, width=200).print(*tables([row]), *tables([row | many]))
    out = written.getvalue()
    assert "200 (100 to 400)" in out and "1.5" in out  # % of peak, GFLOP/s
    assert "16 lanes" in out and "2.0 (1.0 to 4.0)" in out and "2.00 (1.00 to 4.00)" in out


def test_the_state_is_donated():
    """The program of an update writes the next state over the last one."""
    settings = Settings(seeds=1, network=NetworkConfig(features=8), ppo=TINY)
    state, program = begin_training(cell("RepeatPreviousEasy", "mlp", settings))
    held = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
    assert program.memory_analysis().alias_size_in_bytes >= held
    assert "callback" not in program.as_text()


def test_the_plain_deck_is_the_same_task():
    """Every card once, and the rewards of its own rule: naming the right suit earns 1."""
    env = plain_ppo.plain(EASY)

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


def test_the_plain_way_learns_and_is_as_large():
    """On a deck to be named as it is seen, and with the parameters of the agent it is beside."""
    config = PPOConfig(num_envs=16, num_steps=16, num_epochs=4, num_minibatches=2)
    env = plain_ppo.ShuffledRepeatPrevious(k=1)
    init, segment = plain_ppo.make_train(
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
