"""The DNC against the equations of the paper's methods, one row and one head at a time."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory.dnc import DNC, TIE, allocation
from agents.memory.lstm import GATES
from tests.support.naive import check_loop, dense, sigmoid, softmax


def cosine(a, b):
    return a @ b / np.sqrt((a @ a + 1e-6) * (b @ b + 1e-6))


def oneplus(x):
    return 1 + np.log1p(np.exp(x))


def allocate(usage):
    """As the paper's sort has it, but rows within 1e-5 are as free and taken in their order."""
    weights = 1 - usage
    for i, own in enumerate(usage):
        for j, other in enumerate(usage):
            if other < own - TIE or (j < i and other <= own + TIE):
                weights[i] *= other
    return weights


def loop(params, x, n, w, r):
    width = params["from_h"].shape[0]
    h = c = np.zeros(width)
    memory, usage, link = np.zeros((n, w)), np.zeros(n), np.zeros((n, n))
    precedence, write_weights = np.zeros(n), np.zeros(n)
    read_weights, reads = np.zeros((r, n)), np.zeros((r, w))
    ys = []
    for x_t in x:
        recurrent = h @ params["from_h"] + reads.ravel() @ params["from_reads"]
        recurrent = dict(zip(GATES, np.split(recurrent, 4), strict=True))
        i, f, g, o = (dense(x_t, params[gate]) + recurrent[gate] for gate in GATES)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)

        z = list(h @ params["interface"])
        take = lambda count: np.array([z.pop(0) for _ in range(count)])  # noqa: E731, B023
        read_keys, read_strengths = take(r * w).reshape(r, w), oneplus(take(r))
        write_key, write_strength = take(w), oneplus(take(1)[0])
        erase, write = sigmoid(take(w)), take(w)
        free, allocation_gate, write_gate = sigmoid(take(r)), sigmoid(take(1)), sigmoid(take(1))
        modes = softmax(take(3 * r).reshape(r, 3))
        assert not z

        retention = np.prod([1 - free[k] * read_weights[k] for k in range(r)], axis=0)
        usage = (usage + write_weights - usage * write_weights) * retention
        content = softmax(write_strength * np.array([cosine(write_key, m) for m in memory]))
        write_weights = write_gate * (
            allocation_gate * allocate(1e-6 + (1 - 1e-6) * usage) + (1 - allocation_gate) * content
        )
        memory = memory * (1 - np.outer(write_weights, erase)) + np.outer(write_weights, write)
        new_link = np.zeros((n, n))
        for i in range(n):
            for j in range(n):
                if i != j:
                    left = 1 - write_weights[i] - write_weights[j]
                    new_link[i, j] = left * link[i, j] + write_weights[i] * precedence[j]
        link = new_link
        precedence = (1 - write_weights.sum()) * precedence + write_weights
        for k in range(r):
            backward, forward = link.T @ read_weights[k], link @ read_weights[k]
            likeness = np.array([cosine(read_keys[k], m) for m in memory])
            content = softmax(read_strengths[k] * likeness)
            read_weights[k] = modes[k] @ np.stack([backward, content, forward])
        reads = read_weights @ memory
        ys.append(dense(h, params["output_h"]) + dense(reads.ravel(), params["output_reads"]))
    return np.stack(ys)


@pytest.mark.by_default("4-3-2")
@pytest.mark.parametrize("n, w, r", [(4, 3, 2), (7, 2, 1)])
def test_equals_the_loop(n, w, r):
    memory = DNC(features=6, cells=n, cell_size=w, read_heads=r)
    check_loop(memory, lambda params, x: loop(params, x, n, w, r), tolerance=1e-4)


def test_allocation_takes_the_freest_row():
    usage = jnp.array([[0.9, 0.0, 0.5, 0.0], [1.0, 1.0, 1.0, 1.0]])
    weights = jax.jit(allocation)(usage)
    np.testing.assert_allclose(weights[0], [0, 1, 0, 0], atol=1e-5)  # the first of equals
    np.testing.assert_allclose(weights[1], 0, atol=1e-5)


def test_roundings_do_not_choose_among_rows_as_free():
    """Whichever way the last bit of two equal rows falls, the first is taken."""
    usage = 0.5 + 1e-7 * jnp.array([[0.0, 1.0, -1.0], [1.0, -1.0, 0.0]])
    np.testing.assert_allclose(allocation(usage), [[0.5, 0.25, 0.125]] * 2, rtol=1e-5)


def test_allocation_is_that_of_the_sort():
    usage = jax.random.uniform(jax.random.key(0), (50, 9))
    order = np.argsort(usage, axis=1)
    in_order = np.take_along_axis(np.asarray(usage), order, axis=1)
    freer = np.cumprod(np.concatenate([np.ones((50, 1)), in_order[:, :-1]], axis=1), axis=1)
    got = np.take_along_axis(np.asarray(allocation(usage)), order, axis=1)
    np.testing.assert_allclose(got, (1 - in_order) * freer, atol=1e-4)


def test_the_state_of_the_paper():
    assert DNC(features=256).state_size() == 1200
