"""Models with a matrix for a state never hold one for every step: memory grows at most as T does.

What counts is the peak that XLA plans for the compiled gradient; nothing is run.
"""

import pytest

from agents.memory import MEMORIES
from experiments.bench_memories import GROWTH_LENGTHS, gradient_bytes

QUICK = ("fart", "gated_delta_net")
SLOW = ("fwp", "delta_net", "mlstm", "mamba", "mamba2", "gla", "shm")
NAMES = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


@pytest.mark.parametrize("name", NAMES)
def test_memory_grows_with_the_length_alone(name):
    """Width 256, batch 16. A state of T steps would be 2048 x 16 x 16 x 256 numbers and more."""
    memory = MEMORIES[name](features=256)
    short, long = (gradient_bytes(memory, length, batch=16) for length in GROWTH_LENGTHS)
    assert short < 2e9
    assert long <= GROWTH_LENGTHS[1] / GROWTH_LENGTHS[0] * 1.1 * short
