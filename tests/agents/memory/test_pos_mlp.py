"""PosMLP against its formula."""

from agents.memory.pos_mlp import PosMLP
from tests.support.naive import check_loop, dense, leaky_relu, with_position


def loop(params, x):
    x = with_position(x, params["position"])
    x = leaky_relu(dense(x, params["Dense_0"]))
    return leaky_relu(dense(x, params["Dense_1"]))


def test_equals_the_formula():
    check_loop(PosMLP(features=8), loop)
