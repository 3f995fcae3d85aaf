"""Runs of next-token training: what they learn, their lanes, segments, corpora and settings."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.held_out import held_out, per_token
from agents.hyperparams import Hyperparams, lr_schedule
from agents.inputs import agent_input, input_size
from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, inputs_of, make_train
from agents.reader import turn
from popjax.bins import Bins
from popjax.core import then
from popjax.floors import control
from popjax.spaces import Box
from tests.support.probes import TinyDeck, small_model

RATE = Hyperparams(learning_rate=1e-2, max_grad_norm=1.0)


def train(env, network, config, num_updates, seed=0, hyperparams=RATE):
    """A whole run in one segment: the last state and the metrics."""
    init, segment = make_train(env, network, config)

    @jax.jit
    def run(key):
        return segment(init(key, hyperparams, num_updates), hyperparams, num_updates)

    return run(jax.random.key(seed))


@pytest.mark.slow  # by default: the floor's own tests
def test_without_memory_the_floor_is_out_of_reach():
    """A deck of 16 cards: the MLP ends at the nats of a predictor that sees one card, the GRU far
    below, and neither below the floor."""
    env = TinyDeck()
    config = LMConfig(num_episodes=64)
    nats = {}
    for memory in ("mlp", "gru"):
        network = small_model(env, memory)
        state, metrics = train(env, network, config, 200)
        assert metrics["loss"][-20:].mean() < metrics["loss"][0]
        found = per_token(held_out(env, network, state.params, jax.random.key(9), config, 512))
        nats[memory] = found["nats"]
        assert found["excess"] > -3 * found["excess_error"]
        np.testing.assert_allclose(found["floor"], env.floor, atol=1e-9)
    assert nats["mlp"] > env.without_memory - 0.01
    assert nats["mlp"] < env.without_memory + 0.02
    assert nats["gru"] < env.floor + 0.06 < env.without_memory - 0.05


@pytest.mark.slow  # by default: that of test_ppo.py
def test_lanes_equal_single_runs():
    env = TinyDeck()
    init, segment = make_train(env, small_model(env), LMConfig(num_episodes=8))
    points = Hyperparams(learning_rate=jnp.array([1e-2, 1e-3]))
    axes = jax.tree.map(lambda leaf: 0 if jnp.ndim(leaf) else None, points)
    keys = jax.random.split(jax.random.key(0), 3)

    def run(key, hyperparams):
        return segment(init(key, hyperparams, 3), hyperparams, 3)[1]

    many = jax.jit(jax.vmap(jax.vmap(run, in_axes=(0, None)), in_axes=(None, axes)))(keys, points)
    single = jax.jit(run)
    for i, rate in enumerate([1e-2, 1e-3]):
        for j in range(3):
            alone = single(keys[j], Hyperparams(learning_rate=jnp.float32(rate)))
            lane = jax.tree.map(lambda leaf, i=i, j=j: leaf[i, j], many)
            chex.assert_trees_all_close(lane, alone, rtol=2e-4, atol=2e-5)


def test_segments_join_bitwise_and_call_no_host():
    env = TinyDeck()
    init, segment = make_train(env, small_model(env), LMConfig(num_episodes=8))

    @jax.jit
    @chex.assert_max_traces(n=1)
    def advance(state):
        return segment(state, RATE, 2)

    begin = jax.jit(lambda key: init(key, RATE, 4))
    state = begin(jax.random.key(0))
    text = advance.lower(state).as_text()
    assert "callback" not in text and "f64" not in text
    for _ in range(2):
        state, metrics = advance(state)
    assert state.update == 4 and metrics["loss"].shape == (2,)
    again = begin(jax.random.key(0))
    for _ in range(2):
        again, _ = advance(again)
    chex.assert_trees_all_equal(state.params, again.params)


@pytest.mark.slow  # by default: an endless one
def test_a_finite_corpus_is_read_again_and_again():
    """With a rate of zero a pass over all of it costs the same each time, and new episodes do
    not. A pass reads each episode once, and each pass in an order of its own."""
    env = TinyDeck()
    still = Hyperparams(learning_rate=0.0)
    network = small_model(env)
    _, metrics = train(env, network, LMConfig(num_episodes=4, corpus=8), 6, hyperparams=still)
    passes = metrics["realised_nats"].reshape(3, 2).sum(1)
    np.testing.assert_allclose(passes, passes[0], rtol=1e-6)
    _, metrics = train(env, network, LMConfig(num_episodes=4), 6, hyperparams=still)
    assert np.unique(metrics["realised_nats"].round(5)).size == 6
    orders = np.array([turn(jax.random.key(0), u, 12, 3) for u in range(8)]).reshape(2, 12)
    assert (np.sort(orders) == np.arange(12)).all()
    assert (orders[0] != orders[1]).any()


@pytest.mark.slow  # by default: the corpus is a pure function
def test_a_corpus_belongs_to_its_seed_and_not_to_the_run():
    """Two runs of other seeds read the same corpus; another corpus costs otherwise."""
    env, still = TinyDeck(), Hyperparams(learning_rate=0.0)
    network = small_model(env)
    params = LanguageAgent.of(env, network, "obs").init(jax.random.key(0))

    def cost(seed, corpus_seed):
        config = LMConfig(num_episodes=4, corpus=8, corpus_seed=corpus_seed)
        init, segment = make_train(env, network, config)
        state = init(jax.random.key(seed), still, 2).replace(params=params)
        return np.sum(jax.jit(lambda state: segment(state, still, 2)[1])(state)["realised_nats"])

    np.testing.assert_allclose(cost(0, 0), cost(1, 0), rtol=1e-6)
    assert abs(cost(0, 0) - cost(0, 1)) > 1e-4


def test_the_rate_rises_and_falls():
    share = jnp.array([0.0, 0.05, 0.1, 0.5, 1.0])
    rate = lr_schedule("cosine", 0.1, share)
    np.testing.assert_allclose(rate[0], 0, atol=1e-7)
    np.testing.assert_allclose(rate[1], 0.5, atol=0.01)
    np.testing.assert_allclose(rate[3], 0.5, atol=1e-6)
    np.testing.assert_allclose(rate[4], 0, atol=1e-6)
    assert (lr_schedule("constant", 0.0, share) == 1).all()


def test_the_previous_action_is_read_where_tokens_need_it():
    for env_id, auto in (("RepeatFirstEasy", "obs"), ("MultiarmedBanditEasy", "obs+action")):
        env = popjax.make(env_id)
        assert inputs_of(env, LMConfig()) == auto
        assert inputs_of(env, LMConfig(previous_action="on")) == "obs+action"
        assert inputs_of(env, LMConfig(previous_action="off")) == "obs"


@pytest.mark.slow  # by default: the inputs that bins make
def test_models_of_control_read_what_the_filter_reads():
    """The filter knows the tokens alone. So does the model: what it reads is the same for all
    observations of one token, unless it is asked to read the numbers."""
    envs = [levels["Easy"] for levels in popjax.FAMILIES.values()]
    for env in (env for env in envs if isinstance(env.observation_space, Box)):
        first = jnp.array([True, False, False])[:, None]
        obs = jnp.array([[0.11, -0.07], [0.52, 0.3], [-0.8, 0.04]])[:, None]
        bins = Bins(env)
        index = bins.index(obs, first)
        alike = bins.centre(index, first) + 0.1 * (obs - bins.centre(index, first))
        assert (bins.index(alike, first) == index).all() and not jnp.allclose(obs, alike)
        action = jnp.zeros((3, 1, *env.action_space.shape), env.action_space.dtype)
        for config, same in ((LMConfig(), True), (LMConfig(observations="reals"), False)):
            inputs = inputs_of(env, config)
            one, other = (agent_input(env, o, action, first, inputs) for o in (obs, alike))
            assert one.shape[-1] == input_size(env, inputs)
            assert bool(jnp.allclose(one, other, atol=1e-6)) == same, (env, inputs)


def test_the_filter_reads_no_more_than_bins():
    """It begins and goes on alike from observations and from the middles of their bins."""
    env = popjax.make("VelocityOnlyCartPoleEasy")
    bins, law = Bins(env), control.law(env, num_particles=8)
    obs, begin = jnp.array([0.11, -0.07]), jax.jit(law.begin)
    at_first, later = (bins.centre(bins.index(obs, first), first) for first in (True, False))
    np.testing.assert_array_equal(begin(obs).states, begin(at_first).states)
    assert law.token(0, then(obs, 1.0)) == law.token(0, then(later, 1.0))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"num_episodes": 0}, "num_episodes must be a whole number from 1"),
        ({"corpus": 100, "num_episodes": 64}, "must divide corpus"),
        ({"player": "randum"}, "did you mean 'random'"),
        ({"lm_warmup": 1.0}, "lm_warmup must be a number from 0, below 1"),
    ],
)
def test_bad_settings(words, says):
    with pytest.raises(ValueError, match=says):
        LMConfig(**words)
