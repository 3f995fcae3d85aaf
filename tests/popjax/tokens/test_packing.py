"""Rows of several episodes back to back."""

import functools

import jax
import numpy as np
import pytest

import popjax
from agents.inputs import agent_input
from agents.language_agent import LanguageAgent
from agents.lm import episode_inputs
from agents.memory import MEMORIES
from agents.networks import Backbone, LanguageModel
from popjax.floors import make_law, surprise
from popjax.tokens import corpus, pack, target_of, unpack
from popjax.tokens.packing import places

ENV = popjax.ENVS["MineSweeperEasy"]  # episodes of 1 to 14 steps
NUM_EPISODES, ROW = 12, 24
MEMORYLESS = ("mlp",)


@functools.cache
def packed(leak=False):
    episodes = corpus(ENV, "mixture", seed=0, size=NUM_EPISODES)
    return episodes, pack(ENV, episodes, ROW, leak=leak)


def test_every_step_of_every_episode_stands_in_one_place():
    episodes, rows = packed()
    assert np.asarray(rows.loss).sum() == np.asarray(episodes.lengths).sum()
    valid = np.asarray(episodes.valid)
    for name in ("obs", "action"):
        back = unpack(rows, getattr(rows, name), NUM_EPISODES, ENV.max_steps)
        np.testing.assert_array_equal(back[valid], getattr(episodes, name)[valid])
    token = unpack(rows, rows.token, NUM_EPISODES, ENV.max_steps)
    np.testing.assert_array_equal(token[valid], target_of(ENV).tokens(episodes)[valid])
    assert np.asarray(unpack(rows, rows.loss, NUM_EPISODES, ENV.max_steps) == valid).all()


def test_segments_begin_where_episodes_start():
    _, rows = packed()
    start, segment, pos = (np.asarray(x) for x in (rows.start, rows.segment_id, rows.pos))
    real = np.asarray(rows.loss)
    changes = np.diff(segment, axis=0, prepend=-1) != 0
    np.testing.assert_array_equal(start, changes & real)
    np.testing.assert_array_equal(start, pos == 0)
    assert (segment[real] >= 0).all() and (segment[~real] == -1).all()
    assert segment.max() >= 2, "some row holds three episodes or more"
    follows = real[1:] & ~start[1:]
    np.testing.assert_array_equal(pos[1:][follows], pos[:-1][follows] + 1)
    before = np.asarray(rows.previous_action)[1:][follows]
    np.testing.assert_array_equal(before, np.asarray(rows.action)[:-1][follows])


def test_an_episode_that_does_not_fit_is_an_error():
    with pytest.raises(ValueError, match="does not fit"):
        places(np.array([5]), 4)


def test_the_floor_of_packed_rows_is_the_floor():
    """Every answer carries loss, the last one of an episode too."""
    env = popjax.ENVS["HigherLowerEasy"]
    episodes = corpus(env, "random", seed=0, size=3)
    rows = pack(env, episodes)
    nats = surprise(make_law(env), episodes)
    assert rows.token.shape == (256, 1, 1)
    mask = np.asarray(unpack(rows, rows.loss, 3, env.max_steps))
    np.testing.assert_allclose((nats * mask).sum(0), nats.sum(0))


def stirred(params):
    """Parameters moved away from where heads say almost nothing."""
    chance = np.random.default_rng(0)
    return jax.tree.map(
        lambda leaf: leaf + 0.2 * chance.standard_normal(leaf.shape, np.float32), params
    )


@pytest.mark.parametrize("name", MEMORIES)
def test_packed_rows_give_the_logits_of_separate_episodes(name):
    """And with memory that leaks from episode to episode they do not."""
    episodes, rows = packed()
    network = LanguageModel(
        Backbone((MEMORIES[name](features=16),)), target_of(ENV).sizes, head_features=8
    )
    params = jax.jit(LanguageAgent.of(ENV, network).init)(jax.random.key(0))
    params = stirred(params)

    @jax.jit
    def read(params, x, action, reset):
        carry, code = network.initial_carry(NUM_EPISODES), ENV.action_space.flatten(action)
        return network.apply(params, carry, x, reset, code)[1]

    def logits(x, action, reset):
        """One program for both layouts, whose arrays stand in the corner of wider ones."""
        steps, lanes = reset.shape
        wider = ((0, ROW - steps), (0, NUM_EPISODES - lanes))
        x, action, reset = (
            np.pad(a, (*wider, *[(0, 0)] * (a.ndim - 2))) for a in (x, action, reset)
        )
        return read(params, x, action, reset)[:steps, :lanes]

    def apart(packed_logits):
        return np.asarray(unpack(rows, packed_logits, NUM_EPISODES, ENV.max_steps))[valid]

    valid = np.asarray(episodes.valid)
    x, start = episode_inputs(ENV, episodes, "obs+action")
    alone = np.asarray(logits(x, episodes.action, start))[valid]
    assert np.abs(alone).max() > 0.5, "the heads do say something"
    x = agent_input(ENV, rows.obs, rows.previous_action, rows.start, "obs+action")
    together = apart(logits(x, rows.action, rows.reset))
    np.testing.assert_allclose(together, alone, atol=1e-5, rtol=0)
    leaked = apart(logits(x, rows.action, packed(leak=True)[1].reset))
    error = np.abs(leaked - alone).max()
    assert error <= 1e-5 if name in MEMORYLESS else error > 0.05
