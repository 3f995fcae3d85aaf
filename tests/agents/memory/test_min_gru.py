"""minGRU against the paper's loop."""

import numpy as np
import pytest

from agents.memory.min_gru import MinGRU
from tests.support.naive import check_loop, sigmoid


def loop(params, x):
    z, candidate = np.split(x @ params["input"]["kernel"] + params["input"]["bias"], 2, axis=1)
    h, hs = 0.0, []
    for t in range(len(x)):
        h = (1 - sigmoid(z[t])) * h + sigmoid(z[t]) * candidate[t]
        hs.append(h)
    return np.stack(hs)


@pytest.mark.by_default("parallel-30.0", "recurrent-1.0")
@pytest.mark.parametrize("scale", [1.0, 30.0])  # 30: gates open or shut
@pytest.mark.parametrize("mode", ["parallel", "recurrent"])
def test_equals_the_loop(mode, scale):
    check_loop(MinGRU(features=7, mode=mode), loop, scale=scale)
