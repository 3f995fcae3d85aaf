"""Linear attention against the attention that it is, step by step over the whole past."""

import numpy as np
import pytest

from agents.memory.fart import FART
from tests.support.naive import check_loop, dense, with_position


def phi(x):
    return np.where(x > 0, x + 1, np.exp(x))  # elu(x) + 1


def loop(params, x):
    x = with_position(x, params["position"])
    query, key = phi(dense(x, params["query"])), phi(dense(x, params["key"]))
    value = dense(x, params["value"])
    ys = []
    for t in range(len(x)):
        weights = key[: t + 1] @ query[t]
        ys.append(weights @ value[: t + 1] / weights.sum())
    return dense(np.stack(ys), params["output"])


@pytest.mark.by_default("None-recurrent")
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
@pytest.mark.parametrize("size", [None, 5])
def test_is_attention(size, mode):
    check_loop(FART(features=8, size=size, mode=mode), loop, length=150)
