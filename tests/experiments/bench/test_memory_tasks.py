"""The answers of the tasks, recomputed with Python's dictionaries and counters."""

from collections import Counter

import jax
import numpy as np
import pytest

from experiments.bench.memory_tasks import (
    LENGTH,
    PARITY_STEPS,
    TESTED,
    TRAINED,
    copy,
    count,
    long_parity,
    parity,
    recall,
)

BATCH = 7


def drawn(task):
    return jax.tree.map(np.asarray, jax.jit(task, static_argnums=1)(jax.random.key(0), BATCH))


def episodes(examples):
    """Inputs, answers and where they count, episode by episode."""
    for b in range(BATCH):
        begins = np.flatnonzero(examples.start[:, b])
        assert begins[0] == 0
        for begin, end in zip(begins, [*begins[1:], LENGTH], strict=True):
            part = slice(begin, end), b
            yield examples.x[part], examples.target[part], examples.counts[part]


@pytest.mark.parametrize("lag", [1, 5])
def test_copy(lag):
    for x, target, counts in episodes(drawn(copy(lag))):
        symbol = x.argmax(axis=1)
        assert len(symbol) == LENGTH and set(symbol) <= set(range(8))
        np.testing.assert_array_equal(counts, np.arange(LENGTH) >= lag)
        np.testing.assert_array_equal(target[lag:], symbol[:-lag])


def test_recall():
    for x, target, counts in episodes(drawn(recall)):
        assert len(x) == 16
        key, value = x[:, :8].argmax(axis=1), x[:, 8:].argmax(axis=1)
        assert (x[:8].sum(axis=1) == 2).all() and (x[8:].sum(axis=1) == 1).all()
        known = dict(zip(key[:8], value[:8], strict=True))
        assert len(known) == 8 and set(key[8:]) == set(range(8))
        assert [known[k] for k in key[8:]] == target[8:].tolist()
        np.testing.assert_array_equal(counts, np.arange(16) >= 8)


def test_count():
    for x, target, counts in episodes(drawn(count)):
        assert len(x) == 32 and counts.all()
        seen = Counter()
        for symbol, answer in zip(x.argmax(axis=1), target, strict=True):
            assert answer == min(seen[symbol], 15)
            seen[symbol] += 1


def test_parity():
    lengths = set()
    for x, target, counts in episodes(drawn(parity)):
        assert counts.all()
        np.testing.assert_array_equal(target, np.cumsum(x.argmax(axis=1)) % 2)
        lengths.add(len(x))
    assert max(lengths) <= PARITY_STEPS and len(lengths) > 5


def test_long_parity_counts_where_no_training_episode_reached():
    for x, target, counts in episodes(drawn(long_parity)):
        assert len(x) == LENGTH
        np.testing.assert_array_equal(target, np.cumsum(x.argmax(axis=1)) % 2)
        np.testing.assert_array_equal(counts, np.arange(LENGTH) >= PARITY_STEPS)


def test_all_of_one_shape():
    shapes = {
        str(jax.eval_shape(lambda key, task=task: task(key, BATCH), jax.random.key(0)))
        for task in [*TRAINED.values(), *(task for task, _ in TESTED.values())]
    }
    assert len(shapes) == 1
