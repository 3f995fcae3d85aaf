"""The temporal convolution against its sum."""

import numpy as np
import pytest

from agents.memory.tcn import TCN
from tests.support.naive import check_loop, dense, with_position


def loop(params, x):
    if "input" in params:
        x = dense(x, params["input"])
    x = with_position(x, params["position"])
    y = np.zeros((len(x), params["bias"].size)) + params["bias"]
    for t in range(len(x)):
        for i in range(min(t + 1, len(params["kernel"]))):
            y[t] += x[t - i] @ params["kernel"][i]
    return y


@pytest.mark.by_default("memory0")
@pytest.mark.parametrize("memory", [TCN(features=8), TCN(features=5, frames=6)])
def test_equals_the_sum(memory):
    check_loop(memory, loop)
