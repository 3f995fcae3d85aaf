"""A network that treats all cells alike: it knows no cell from another but by what happened."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.architecture import from_plain, to_plain
from agents.cells import EquivariantActorCritic, EquivariantBackbone, Layout
from agents.inputs import agent_input
from agents.memory import MEMORIES
from experiments.results.errors import UserError
from experiments.results.spec import NetworkConfig, PPOConfig, Settings
from experiments.train.build import build
from experiments.train.cell import cell
from popjax.spaces import Discrete
from tests.support.probes import any_parameters, quick

CELLS, T, BATCH = 5, 12, 3
KINDS = ("mlp", "gru", "transformer", "s5", "frame_stack", "shm")


class Board:
    """The spaces of a board, without the game."""

    def __init__(self, own):
        self.observation_space = Discrete((3,) * CELLS if own else (2, 4))
        self.action_space = Discrete(CELLS)


def network_of(memory, own):
    return EquivariantActorCritic(
        EquivariantBackbone((MEMORIES[memory](8),) * 2, CELLS, 3 * own), 8
    )


def played(board, key):
    """Observations and actions `[T, B, ...]`, and the flags of starts."""
    space = board.observation_space
    shape = (T, BATCH, len(space.sizes))
    obs = jax.random.randint(key, shape, 0, jnp.array(space.sizes))
    action = jax.random.randint(jax.random.fold_in(key, 1), (T, BATCH), 0, CELLS)
    start = jax.random.bernoulli(jax.random.fold_in(key, 2), 0.2, (T, BATCH)).at[0].set(True)
    return obs, action, start


@pytest.mark.by_default("frame_stack-board")
@pytest.mark.parametrize("own", [True, False], ids=["board", "bandit"])
@pytest.mark.parametrize("memory", KINDS)
def test_who_lays_the_board_out_differently_is_played_alike(memory, own):
    """Cards in another order, the same ones turned: the same moves in that order, and the same
    value."""
    board, network = Board(own), network_of(memory, own)
    obs, action, start = played(board, jax.random.key(0))
    order = jnp.array([3, 0, 4, 1, 2])  # cell i shows what cell order[i] showed
    x = agent_input(board, obs, action, start, "obs+action")
    moved = agent_input(
        board, obs[..., order] if own else obs, jnp.argsort(order)[action], start, "obs+action"
    )
    params = any_parameters(network, x.shape[-1])
    run = quick(lambda x: network.apply(params, network.initial_carry(BATCH), x, start)[1:])
    policy, value = run(x)
    policy_moved, value_moved = run(moved)
    np.testing.assert_allclose(policy_moved, policy[..., order], atol=2e-5)
    np.testing.assert_allclose(value_moved, value, atol=2e-5)
    assert np.ptp(policy, axis=-1).max() > 2e-4, "cells with different pasts are told apart"


def test_it_is_as_large_on_a_larger_board():
    """What is learned at one cell is known at all: the parameters do not grow with the board."""
    sizes = [
        sum(leaf.size for leaf in jax.tree.leaves(any_parameters(network, width)))
        for network, width in (
            (EquivariantActorCritic(EquivariantBackbone((MEMORIES["gru"](8),), n, 3), 8), 4 * n + 1)
            for n in (5, 52)
        )
    ]
    assert sizes[0] == sizes[1]


def test_a_network_of_places_is_plain_data():
    network = network_of("gru", own=True)
    assert from_plain(json.loads(json.dumps(to_plain(network)))) == network


def built(env, inputs="obs+action", **network):
    settings = Settings(
        network=NetworkConfig(features=8, style="cells", **network), ppo=PPOConfig(inputs=inputs)
    )
    return build(cell(env, "gru", settings))[1]


@pytest.mark.parametrize(
    ("env", "options", "shape"),
    [
        ("ConcentrationEasy", {}, (52, 3, 0)),
        ("MultiarmedBanditEasy", {}, (10, 0, 0)),
        ("BattleshipEasy", {"joint": True, "inputs": "obs+joint"}, (64, 0, 8)),
    ],
)
def test_every_action_is_a_place(env, options, shape):
    backbone = built(env, **options).backbone
    cells, own, rows = shape
    assert (backbone.cells, backbone.own, backbone.rows) == (cells, own, rows)
    assert popjax.make(env).action_space.num_values == cells


@pytest.mark.parametrize(
    ("env", "options", "says"),
    [
        ("PositionOnlyPendulumEasy", {}, "needs one integer as action"),
        ("BattleshipEasy", {}, "needs one integer as action"),
        ("BattleshipEasy", {"joint": True}, "--inputs obs.joint"),
        ("ConcentrationEasy", {"inputs": "obs"}, "--inputs obs.action"),
        ("ConcentrationEasy", {"separate_critic": True}, "no separate critic"),
        ("ConcentrationEasy", {"feed_forward": 8}, "no feed forward"),
    ],
)
def test_what_has_no_places_is_refused_in_one_line(env, options, says):
    with pytest.raises(UserError, match=says) as refused:
        built(env, **options)
    assert "\n" not in str(refused.value)


def test_on_a_board_it_matters_where_a_place_lies_from_the_one_acted_upon():
    """Two cells see the cell acted upon alike if and only if it lies as far up and as far left
    of them."""
    rows, columns = 3, 4
    n = rows * columns
    acted = jnp.eye(n)[:, None]  # cell t is acted upon at time t
    codes, _ = Layout(rows, columns, features=2).init_with_output(jax.random.key(0), acted)
    codes = np.asarray(codes)[:, 0]
    at = [divmod(cell, columns) for cell in range(n)]
    by_offset = {}
    for i in range(n):
        for j in range(n):
            offset = at[i][0] - at[j][0], at[i][1] - at[j][1]
            np.testing.assert_array_equal(codes[i, j], by_offset.setdefault(offset, codes[i, j]))
    assert len({tuple(code) for code in by_offset.values()}) == len(by_offset) == 5 * 7
