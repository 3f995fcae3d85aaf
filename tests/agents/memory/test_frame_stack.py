"""The frame stack against a loop that keeps a list of frames."""

import numpy as np
import pytest

from agents.memory.frame_stack import FrameStack
from tests.support.naive import check_loop, dense, leaky_relu, with_position


@pytest.mark.by_default("1")
@pytest.mark.parametrize("frames", [1, 4])
def test_equals_the_loop(frames):
    def loop(params, x):
        stack = [np.zeros(8 // frames)] * frames
        ys = []
        for frame in dense(with_position(x, params["position"]), params["compress"]):
            stack = [*stack[1:], frame]
            y = leaky_relu(dense(np.concatenate(stack), params["Dense_0"]))
            ys.append(leaky_relu(dense(y, params["Dense_1"])))
        return np.stack(ys)

    check_loop(FrameStack(features=8, frames=frames), loop)
