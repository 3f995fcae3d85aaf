"""From one softmax to a network: expected gradients over all orders of a tiny deck."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bridge import flow
from experiments.bridge.criterion import slowdown
from experiments.bridge.flow import Condition, FlowConfig, findings, game, log_right, orders, ratios
from popjax.players import make_player, play

SMALL = FlowConfig("mlp", seeds=2, decks=((2, 4),), features=8, batch=8, updates=8, num_looks=3)


def test_what_is_judged_is_what_the_game_asks_for():
    """On decks as RepeatPrevious deals them, the right answers are the reference player's."""
    env = game(2, 6, 2)
    episodes = play(env, make_player(env), jax.random.key(0), 16)
    decks = jnp.concatenate([episodes.obs, episodes.next_obs[-1:]]).T
    network = SMALL.network(2)
    x = jnp.zeros((1, 1, 3))
    init = jax.jit(network.init)
    params = init(jax.random.key(0), network.initial_carry(1), x, jnp.ones((1, 1), bool))
    logs, right = jax.jit(lambda params: log_right(network, params, decks, 2))(params)
    np.testing.assert_array_equal(right, episodes.action[1:])
    assert logs.shape == (*right.shape, 2)


def test_all_orders_are_the_deck():
    every = orders(3, 6)
    assert len(every) == 90 and len(np.unique(every, axis=0)) == 90
    assert (np.sort(every, axis=1) == [0, 0, 1, 1, 2, 2]).all()


def test_on_one_softmax_the_closed_form_is_what_small_steps_give():
    """The price is that of gradient flow: one softmax, expected gradients, small steps."""
    suits, rate = 4, 0.01

    def steps(feedback):
        logits, number = np.zeros(suits), 0
        while True:
            p = np.exp(logits) / np.exp(logits).sum()
            if p[0] >= 0.5:
                return number
            logits += rate * (1.0 if feedback == "label" else p[0]) * (np.eye(suits)[0] - p)
            number += 1

    # on K logits the wrong ones move apart from the right one together: the same law
    assert steps("verdict") / steps("label") == pytest.approx(slowdown(suits, 0.5), rel=0.02)


def test_a_ratio_of_invented_curves_is_judged():
    config = replace(SMALL, decks=((4, 4),))
    update = np.tile(np.geomspace(1, 1000, 50), (2, 1))

    def curve(half):
        return {"update": update, "right": 0.8 * update / (update + half)}  # 0.9 is never reached

    curves = {}
    for learner in flow.LEARNERS:
        cost = slowdown(4, 0.5) if learner == "exact" else 20.0
        curves[Condition(4, 4, learner, "label")] = curve(10.0)
        curves[Condition(4, 4, learner, "verdict")] = curve(10.0 * cost)
    found = ratios(curves, config, 0.5)
    assert found[4, 4, "exact"][0] == pytest.approx(slowdown(4, 0.5), rel=0.02)
    outcomes = {one.name: one.outcome for one in findings(curves, config)}
    assert outcomes == {"W1": "holds", "W2": "fails", "W3": "fails"}
    flow.draw(curves, config)


@pytest.mark.slow  # by default: the game, the ratio and the closed form by themselves
@pytest.mark.parametrize("learner", flow.LEARNERS)
def test_each_learner_learns(learner):
    config = replace(SMALL, memory="gru", rate=0.3, adam_rate=1e-2)
    program = flow.program_of(config, Condition(2, 4, learner, "label"))
    keys = jax.random.split(jax.random.key(0), 2)
    state = program.init(keys)
    before = program.examine(state[0])
    after = program.examine(program.advance(state, keys, 0, 1500)[0])
    assert (after > before + 0.2).all()
