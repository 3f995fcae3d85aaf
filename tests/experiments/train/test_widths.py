"""Equal parameters, equal state."""

import pytest

from agents.memory import MEMORIES
from experiments.results.errors import UserError
from experiments.train.widths import memory_of_parameters, memory_of_state, num_parameters, widest


@pytest.mark.by_default("ind_rnn", "min_lstm")
@pytest.mark.parametrize("name", MEMORIES)
def test_as_wide_as_fits(name):
    kind, budget = MEMORIES[name], 50_000
    memory = memory_of_parameters(kind, budget)
    assert num_parameters(memory, memory.features) <= budget
    wider = kind(memory.features + 8)
    assert num_parameters(wider, wider.features) > budget


def test_equal_state():
    assert memory_of_state(MEMORIES["gru"], 1000).features == 1000
    assert memory_of_state(MEMORIES["gru"], 1003).features == 1000
    assert memory_of_state(MEMORIES["lru"], 1003).features == 496


def test_bisection_finds_what_a_search_finds():
    for budget in range(64, 5000, 37):
        want = max(w for w in range(8, 105, 8) if w * (w + 3) // 2 <= budget)
        assert widest(lambda w: w * (w + 3) // 2, budget, limit=104) == want


def test_too_small_a_budget():
    with pytest.raises(UserError, match="smallest width"):
        memory_of_parameters(MEMORIES["gru"], 10)
