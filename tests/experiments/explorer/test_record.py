"""What the page is told of an episode is what happened, and what networks and laws made of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.distributions import distribution, num_outputs
from agents.inputs import input_size
from agents.language_agent import LanguageAgent
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone, LanguageModel
from experiments.explorer import page as explorer_page
from experiments.explorer import readings
from experiments.explorer.pairs import Pair, TrainedModel, agent_player
from experiments.explorer.record import chances, drawn, record, splices
from experiments.explorer.study import recorded
from popjax import ENVS, render
from popjax.players import make_player, play
from popjax.tokens import target_of

EXACT = {"RepeatFirst", "RepeatPrevious", "Autoencode", "CountRecall", "HigherLower"}
WITHOUT_LAW = {"LabyrinthEscape", "LabyrinthExplore"}


@pytest.mark.parametrize("env_id", explorer_page.shipped())
def test_what_is_shipped_is_consistent(env_id):
    episode = explorer_page.unpack(explorer_page.shipped()[env_id])
    env, steps = ENVS[env_id], len(episode["did"])
    assert episode["env"] == env_id and steps <= episode["length"] <= env.max_steps
    assert len(episode["seen"]) == len(episode["scene"]["frames"]) == steps + 1
    assert set(episode["did"]) <= set(range(len(episode["acts"])))
    if steps == episode["length"]:
        assert abs(sum(episode["reward"]) - episode["return"]) < 1e-2
    assert (episode["law"] is None) == (env.name in WITHOUT_LAW)
    assert (episode["agent"] is None) == (episode["language_model"] is None)
    came = np.array(episode["token"]["came"])
    for source in filter(None, (episode["law"], episode["language_model"])):
        p = [np.array(part) / 1000 for part in source["next"]]
        assert all(np.abs(part.sum(1) - 1).max() < 0.04 for part in p), "rounded one by one"
        chosen = [part[np.arange(steps), came[:, i]] for i, part in enumerate(p)]
        sure = np.min(chosen, axis=0) > 0.05
        nats = -np.sum(np.log(np.maximum(chosen, 1e-9)), axis=0)
        assert np.allclose(nats[sure], np.array(source["surprise"])[sure], atol=0.03 * len(p))
    if env.name in EXACT:
        assert episode["floor"]["kind"] == "exact" and episode["law"]["exact"]


@pytest.mark.slow
def test_an_episode_of_a_scripted_player_is_recorded_again():
    now, then = (
        recorded("HigherLowerMedium", None),
        explorer_page.unpack(explorer_page.shipped()["HigherLowerMedium"]),
    )
    for name in ("scene", "seen", "did", "reference", "reward", "return", "floor", "token"):
        assert now[name] == then[name]
    assert np.abs(np.subtract(now["law"]["next"], then["law"]["next"])).max() <= 1
    assert now["agent"] is None and now["readings"] == []


def test_frames_give_the_pictures_again():
    env = popjax.make("ConcentrationEasy")
    episodes = play(env, make_player(env, "random"), jax.random.key(0), 1, keep_states=True)
    scene = drawn(env, episodes, 5)
    shapes, frame = scene["shapes"], []
    for start, out, *put in scene["frames"]:
        frame[start : start + out] = put
    state = jax.tree.map(lambda leaf: leaf[4, 0], episodes.next_state)
    step = jax.tree.map(lambda leaf: leaf[4, 0], episodes.replace(state=None, next_state=None))
    timestep = popjax.TimeStep(step.next_obs, step.reward, step.terminated, step.truncated)
    drawing = render.svg(env.render(state, timestep, reveal=True))
    assert "\n".join(shapes[i] for i in frame) in drawing
    assert splices([[1, 2], [], [3]]) == [[0, 0, 1, 2], [0, 2], [0, 0, 3]]


@pytest.fixture(scope="module")
def pair():
    """Both costumes of a small backbone, fresh."""
    env = popjax.make("RepeatFirstEasy")
    backbone = Backbone((MEMORIES["gru"](features=8),))
    agent = ActorCritic(backbone, num_outputs(env.action_space), head_features=8)
    model = LanguageModel(backbone, target_of(env).sizes, 0, head_features=8)
    x = jnp.zeros((1, 1, input_size(env, "obs")))
    key = jax.random.key(0)
    params = agent.init(key, agent.initial_carry(1), x, x[..., 0] > 0)
    facts = {"memory": "gru", "features": 8, "steps": 0}
    return Pair(
        TrainedModel(env, agent, params, "obs", facts),
        TrainedModel(env, model, LanguageAgent.of(env, model, "obs").init(key), "obs", facts),
    )


@pytest.mark.slow
def test_a_pair_reads_the_very_same_episode(pair):
    episode, steps = record("RepeatFirstEasy", 3, pair)
    policy = np.array(episode["agent"]["policy"]) / 1000
    assert policy.shape == (51, 4) and np.abs(policy - 0.25).max() < 0.05, "untrained"
    assert np.allclose(episode["language_model"]["surprise"], np.log(4), atol=0.2)
    first = int(steps.obs[0, 0])
    assert episode["reference"] == [first] * 51
    hits = [did == first for did in episode["did"]]
    assert [reward > 0 for reward in episode["reward"]] == hits


@pytest.mark.slow
def test_what_an_untrained_state_tells(pair, monkeypatch):
    monkeypatch.setattr(readings, "EPISODES", 64)
    _, episodes = record("RepeatFirstEasy", 3, pair)
    right, law = readings.readings(pair, episodes, jax.random.key(1))
    assert right["nats"]["truth"] == 0 and abs(law["nats"]["truth"] - 1.27) < 0.01
    for reading in (right, law):
        nats = reading["nats"]
        assert nats["truth"] < min(nats["agent"], nats["language_model"])
        assert len(reading["truth"]) == len(reading["agent"]) == 51
    assert abs(right["nats"]["present"] - np.log(4)) < 0.1, "the present card tells little"


def test_a_reading_of_what_is_there_and_of_what_is_not():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 6)).astype(np.float32)
    logits = x @ rng.normal(size=(6, 3))
    target = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    entropy = -np.mean(np.sum(target * np.log(target), axis=1))
    probe = readings.fit(x[:2000], target[:2000])
    assert abs(readings.cross_entropy(probe, x[2000:], target[2000:]) - entropy) < 5e-3
    noise = rng.normal(size=x.shape).astype(np.float32)
    blind = readings.fit(noise[:2000], target[:2000])
    mean = target.mean(0)
    chance = -np.sum(mean * np.log(mean))
    assert abs(readings.cross_entropy(blind, noise[2000:], target[2000:]) - chance) < 2e-2


def test_torques_are_shown_as_the_nearest_of_nine():
    env = popjax.make("PositionOnlyPendulumEasy")
    p = chances(env, np.array([[0.5, -5.0], [0.0, 2.0]]))
    assert p.shape == (2, 9) and np.allclose(p.sum(1), 1)
    assert p[0].argmax() == 5 and p[0, 5] > 0.99 and p[1, 0] > p[1, 4]


@pytest.mark.slow  # by default: densities of test_distributions.py
@pytest.mark.parametrize("squash", [False, True])
def test_an_agent_acts_as_it_was_trained_squashed_or_not(squash):
    env = popjax.make("PositionOnlyPendulumEasy")
    space, key, obs = env.action_space, jax.random.key(0), jnp.array([1.0, 0.0])
    backbone = Backbone((MEMORIES["mlp"](features=8),))
    network = ActorCritic(backbone, num_outputs(space), head_features=8, squash=squash)
    x = jnp.zeros((1, 1, input_size(env, "obs")))
    params = jax.jit(network.init)(key, network.initial_carry(1), x, x[..., 0] > 0)
    player = agent_player(TrainedModel(env, network, params, "obs", {}))
    keys = jax.random.split(key, 4096)
    begin = player.begin()
    actions = jax.jit(jax.vmap(lambda key: player.act(key, begin, obs, None)[1]))(keys)
    assert jax.vmap(space.contains)(actions).all()
    x = jnp.array([[[*obs, 1.0]]])
    outputs = network.apply(params, network.initial_carry(1), x, x[..., 0] > 0)[1][0]
    pi = distribution(space, outputs, squash)
    samples = jax.jit(jax.vmap(lambda key: pi.sample(seed=key)[0]))(keys)
    np.testing.assert_allclose(actions, space.nearest(samples), atol=1e-6)
    levels = np.rint((np.asarray(actions)[:, 0] + 2) * 2).astype(int)
    shares = np.bincount(levels, minlength=9) / len(levels)
    np.testing.assert_allclose(chances(env, outputs, squash)[0], shares, atol=0.03)
