"""The rules of the three CartPole families, as a player would state them."""

import numpy as np
import pytest

from popjax.envs.cartpole import POSITION_ONLY
from popjax.players import make_player
from tests.reference import check_replay


def put(reference, ours, n, t):
    state = ours.state
    row = [state.x[t, n], state.x_dot[t, n], state.angle[t, n], state.angle_dot[t, n]]
    reference.state = np.array(row, np.float64)


def inject(reference, ours, n):
    reference.reset()
    put(reference, ours, n, 0)
    return reference.state[[0, 2]]


@pytest.mark.parametrize("kind", ["random"])
@pytest.mark.parametrize("level", POSITION_ONLY)
def test_position_only_equals_the_reference(level, kind):
    """One step from the same state, at every step: rounding errors would grow e-fold in a quarter
    of a second."""
    env = POSITION_ONLY[level]
    player = make_player(env, kind)
    check_replay(env, f"PositionOnlyCartPole{level}", player, inject, before_step=put)
