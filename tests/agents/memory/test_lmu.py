"""The LMU against its equations, and its memory against the window that it should hold."""

import numpy as np
import pytest
from scipy.signal import cont2discrete

from agents.memory.lmu import LMU, legendre
from tests.support.naive import check_loop, dense


def matrices(order, window):
    """The paper's equation 2, held by scipy."""
    a, b = np.zeros((order, order)), np.zeros((order, 1))
    for i in range(order):
        b[i] = (2 * i + 1) * (-1) ** i / window
        for j in range(order):
            a[i, j] = (2 * i + 1) / window * (-1 if i < j else (-1) ** (i - j + 1))
    a, b, *_ = cont2discrete((a, b, np.eye(order), np.zeros((order, 1))), 1.0, method="zoh")
    return a, b[:, 0]


@pytest.mark.by_default("memory1")
@pytest.mark.parametrize("memory", [LMU(features=8), LMU(features=5, order=12, window=20)])
def test_equals_the_loop(memory):
    order = memory.order or memory.features
    a, b = matrices(order, memory.window)

    def loop(params, x):
        h, m, ys = np.zeros(memory.features), np.zeros(order), []
        for x_t in x:
            u = dense(x_t, params["encode_x"]) + h @ params["encode_h"] + m @ params["encode_m"]
            m = a @ m + b * u
            h = np.tanh(dense(x_t, params["from_x"]) + h @ params["from_h"] + m @ params["from_m"])
            ys.append(h)
        return np.stack(ys)

    check_loop(memory, loop)


def test_the_memory_holds_the_window():
    """A slow signal is read back from m anywhere in the window, and nothing older is left."""
    order, window = 12, 40
    a, b = legendre(order, window)
    time = np.arange(200)
    signal = np.sin(2 * np.pi * time / 50) + 0.5 * np.cos(2 * np.pi * time / 31)
    m = np.zeros(order)
    for u in signal:
        m = a @ m + b * u
    for delay in (0, 10, 20, 39):
        read = np.polynomial.legendre.legval(2 * delay / window - 1, m)
        # a held signal lies half a step behind
        want = np.interp(199.5 - delay, time + 0.5, signal)
        assert abs(read - want) < 0.1, delay
    for _ in range(3 * window):
        m = a @ m
    assert np.abs(m).max() < 0.02


def test_the_full_size_does_not_grow():
    """Order 256 in a window of 64 steps: no pole outside the unit circle."""
    a, _ = legendre(256, 64)
    assert np.abs(np.linalg.eigvals(a)).max() < 1
