"""Fast weights against a loop that writes and reads a matrix."""

import numpy as np
import pytest

from agents.memory.fwp import FWP
from tests.support.naive import check_loop, dense, with_position


def phi(x):
    x = np.maximum(x, 0)
    return x / (1e-5 + x.sum())


def loop(params, x):
    x = with_position(x, params["position"])
    size = params["key"]["kernel"].shape[1]
    fast, ys = np.zeros((size, size)), []
    for x_t in x:
        fast = fast + np.outer(dense(x_t, params["value"]), phi(dense(x_t, params["key"])))
        ys.append(fast @ phi(dense(x_t, params["query"])))
    return dense(np.stack(ys), params["output"])


@pytest.mark.by_default("None-recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
@pytest.mark.parametrize("size", [None, 5])
def test_equals_the_loop(size, mode):
    check_loop(FWP(features=8, size=size, mode=mode), loop, length=150)
