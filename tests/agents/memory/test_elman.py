"""Elman's network against its equation."""

import numpy as np

from agents.memory.elman import Elman
from tests.support.naive import check_loop, dense


def loop(params, x):
    h, ys = np.zeros(8), []
    for x_t in x:
        h = np.tanh(dense(x_t, params["input"]) + h @ params["recurrent"])
        ys.append(h)
    return np.stack(ys)


def test_equals_the_loop():
    check_loop(Elman(features=8), loop)
