"""Models with a matrix for a state never hold one for every step.

What counts is the memory that XLA plans for the compiled gradient; nothing is run.
"""

import functools

import flax.linen as nn
import jax.numpy as jnp
import pytest

from agents.memory import MEMORIES, Memory
from agents.memory.scans import recurrent_scan
from experiments.bench.memories import GROWTH_LENGTHS, gradient_bytes

BATCH = 16
SHORT, LONG = GROWTH_LENGTHS  # 2,048 and 8,192 steps
SLOW = ("fwp", "delta_net", "mlstm", "mamba", "mamba2", "gla", "shm")
NAMES = ["fart", "gated_delta_net", *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW)]
# Where the state is otherwise no larger than what a step needs besides.
LARGE_STATES = {"fart": {"size": 256}, "fwp": {"size": 256}, "shm": {"size": 256}}
LARGE_STATES["mamba"] = {"state": 64}

planned = functools.cache(gradient_bytes)


def states_held_each_step(memory: Memory) -> float:
    """What one step more of one sequence costs, in states."""
    growth = planned(memory, LONG, BATCH) - planned(memory, SHORT, BATCH)
    return growth / ((LONG - SHORT) * BATCH) / (4 * memory.state_size())


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_memory_is_small_and_grows_at_most_linearly(name):
    memory = MEMORIES[name](features=256)
    assert planned(memory, SHORT, BATCH) < 2e9
    assert planned(memory, LONG, BATCH) <= 1.1 * LONG / SHORT * planned(memory, SHORT, BATCH)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_less_than_a_state_is_held_each_step(name):
    assert states_held_each_step(MEMORIES[name](256, **LARGE_STATES.get(name, {}))) < 1


class PlainLoop(Memory):
    """Fast weights of which autodiff keeps the matrix of every step."""

    @nn.nowrap
    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, self.features, self.features))

    def __call__(self, carry, x, start):
        def step(state, x):
            state = state + x[:, :, None] * x[:, None, :]
            return state, jnp.einsum("bkv,bk->bv", state, x)

        return recurrent_scan(step, jnp.zeros_like(carry), carry, x, start)


def test_a_plain_loop_would_be_found():
    assert states_held_each_step(PlainLoop(64)) > 1
