"""The ladder: what each rung reads and is told, the table of supervision, and R4 beside R3b."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import popjax
from agents import surrogate
from agents.agent import Agent
from agents.choices import log_probs, sizes_of
from agents.gae import gae
from agents.held_out import held_out
from agents.hyperparams import Hyperparams
from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, inputs_of
from agents.memory import MEMORIES
from agents.nats import label_nats
from agents.networks import Backbone, LanguageModel
from agents.objectives import OBJECTIVES, make_train
from agents.objectives.histories import Batch, own_labels
from agents.objectives.oracles import oracle_of
from agents.rollout import collect, reset_actors
from agents.supervision import sum_nats, verdict_nats
from experiments.results.spec import Settings
from experiments.train.objectives import with_objective_defaults
from popjax.players import Player, play, random_player
from popjax.players.labyrinth import shortest_path
from popjax.tokens import target_of
from tests.support.probes import TinyDeck, small_network

ENV = TinyDeck()
STILL = Hyperparams(learning_rate=0.0)


def rung_model(env, features=8):
    blocks = (MEMORIES["gru"](features=features),)
    return LanguageModel(Backbone(blocks), target_of(env).sizes, sum(sizes_of(env)), 8)


TABLE = [  # label, verdict, sum an episode, sum a step, and their ratio: uniform belief
    ("RepeatFirstEasy", 1.386, 0.562, 2.55, 0.050, (28, 11)),
    ("RepeatPreviousEasy", 1.386, 0.562, 2.52, 0.052, (26, 11)),
    ("AutoencodeEasy", 1.386, 0.562, 2.56, 0.049, (28, 11)),
    ("CountRecallEasy", 3.296, 0.158, 1.66, 0.033, (101, 5)),
    ("CountRecallHard", 2.833, 0.224, 2.63, 0.013, (223, 18)),
    ("RepeatFirstHard", 1.386, 0.562, 3.94, 0.0047, (292, 118)),
]


@pytest.mark.by_default("RepeatPreviousEasy")
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row[0])
def test_supervision_in_nats(row):
    """From the number of choices and of steps at which an answer can be right."""
    env_id, *expected, ratio = row
    env = popjax.make(env_id)
    _, judged = own_labels(env, play(env, random_player(env), jax.random.key(0), 1))
    pi = log_probs(sizes_of(env), jnp.zeros(sum(sizes_of(env))))
    whole = float(sum_nats(jnp.full(judged.shape, jnp.exp(pi[0])), judged)[0])
    a_step = whole / int(judged.sum())
    told = [float(label_nats(pi)), float(verdict_nats(pi)), whole, a_step]
    digits = (3, 3, 2, 4 if a_step < 0.01 else 3)
    np.testing.assert_array_less(
        np.abs(np.subtract(told, expected)), 0.51 * 10.0 ** -np.array(digits)
    )
    np.testing.assert_allclose(np.array(told[:2]) / a_step, ratio, atol=0.52)  # 118.5 as 118


@pytest.mark.slow  # by default: each rung's words and weights
def test_ppo_without_its_extras_is_the_verdict():
    """gamma 0, no clip, one pass, no normalisation, no entropy: where rewards are verdicts, the
    gradient of backbone and policy is that of R3b up to the scale of rewards, step for step."""
    network, model = small_network(ENV, "gru", 8), rung_model(ENV)
    agent = Agent.of(ENV, network.clone(head_features=8), "obs")
    reader = LanguageAgent.of(ENV, model, "obs")
    rewards = 2 / ENV.max_steps  # right less wrong
    plain = Hyperparams(gamma=0.0, clip=jnp.inf, entropy=0.0, value=0.0)
    regime = OBJECTIVES["bandit"]

    def of_agent(params, data, carry):
        advantages, targets = gae(
            data.reward, data.value, data.last, jnp.zeros(data.value.shape[1]), 0.0, 0.0
        )
        rollout = surrogate.Batch(carry, data, advantages, targets)
        grads, _ = jax.grad(surrogate.ppo_loss, has_aux=True)(params, agent, plain, rollout)
        return grads["params"]

    def of_rung(params, data):
        suit = jnp.argmax(data.x[0, :, :4], axis=-1)
        nothing, all_steps = jnp.zeros_like(data.reward), jnp.ones_like(data.start)
        batch = Batch(
            x=data.x,
            start=data.start,
            valid=all_steps,
            action=ENV.action_space.flatten(data.action),
            token=jnp.zeros((*data.start.shape, 1), jnp.int32),
            label=jnp.broadcast_to(suit, data.action.shape),
            labelled=all_steps,
            sampled=data.action,
            log_prob=data.log_prob,
            reward=data.reward,
            reference=nothing,
            weight=nothing,
        )
        foreseen = (data.value + 1 / ENV.max_steps) / rewards
        weight, verdict = regime.advantage(reader, plain, batch, foreseen)
        batch = batch.replace(weight=weight)
        grads, _ = jax.grad(regime.loss, has_aux=True)(params, reader, plain, batch)
        return grads["params"], verdict

    @jax.jit
    def both(key):
        key_params, key_actor, key = jax.random.split(key, 3)
        actor = reset_actors(ENV, agent, key_actor, 8)
        params = agent.init(key_params)
        first, rows = actor.carry, []
        for _ in range(2):
            key, key_collect = jax.random.split(key)
            actor, data, _ = collect(ENV, agent, params, actor, key_collect, ENV.max_steps)
            heads = {"next_token_0": model_heads, **params["params"]}
            told, verdict = of_rung({"params": heads}, data)
            own = of_agent(params, data, first)
            shared = {name: (own[name], told[name]) for name in ("backbone", "policy")}
            rows.append((shared, data.reward, verdict))
            step = {"params": jax.tree.map(lambda g: -100 * g, own)}
            params = optax.apply_updates(params, step)
        return rows

    model_heads = reader.init(jax.random.key(5))["params"]["next_token_0"]
    for shared, reward, verdict in both(jax.random.key(0)):
        np.testing.assert_allclose(reward, rewards * verdict - 1 / ENV.max_steps, atol=1e-6)
        for own, told in shared.values():
            for a, b in zip(jax.tree.leaves(own), jax.tree.leaves(told), strict=True):
                np.testing.assert_allclose(a, rewards * b, rtol=2e-3, atol=1e-7)
            assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(own)) > 1e-5


@pytest.mark.slow  # by default: a corpus is a pure function
@pytest.mark.parametrize("name", ["clone_any", "guess"])
def test_histories_of_a_mixture_are_read_again_and_again(name):
    """At a rate of zero each pass over a finite corpus shows the same labels and tokens."""
    config = LMConfig(num_episodes=4, corpus=8, player="mixture")
    init, segment = make_train(ENV, rung_model(ENV), config, OBJECTIVES[name])

    @jax.jit
    def run(key):
        return segment(init(key, STILL, 4), STILL, 4)[1]

    metrics = run(jax.random.key(0))
    assert (metrics["environment_tokens"] == 4 * ENV.max_steps).all()
    if name == "clone_any":
        passes = np.asarray(metrics["realised_nats"]).reshape(2, 2).sum(1)
        np.testing.assert_allclose(passes[0], passes[1], rtol=1e-5)
    assert np.isfinite(metrics["loss"]).all()


@pytest.mark.slow
def test_a_model_is_judged_on_the_mixture_that_it_reads():
    model = rung_model(ENV)
    params = LanguageAgent.of(ENV, model, "obs").init(jax.random.key(0))
    config = LMConfig(num_episodes=4, player="mixture")
    sums = held_out(ENV, model, params, jax.random.key(1), config, 7)
    assert (sums["tokens"] == ENV.max_steps).all() and len(sums["nats"]) == 7
    np.testing.assert_allclose(sums["floor"], ENV.max_steps * ENV.floor, rtol=1e-6)


def test_a_learner_that_plays_reads_no_corpus():
    with pytest.raises(ValueError, match="reads no corpus"):
        make_train(ENV, rung_model(ENV), LMConfig(4, corpus=8), OBJECTIVES["dagger"])


@pytest.mark.slow  # by default: defaults of each rung
@pytest.mark.parametrize(
    ("first", "moved"),
    [("next_obs", {"next_token_0"}), ("all", {"policy", "next_token_0"})],
)
def test_which_rung_comes_before_fine_tuning(first, moved):
    """Its heads have left where they began, the others have not; and it is the reference."""
    model = rung_model(ENV)
    regime = dataclasses.replace(OBJECTIVES["rlhf"], pretrain=OBJECTIVES[first], pretrain_updates=2)
    init, _ = make_train(ENV, model, LMConfig(num_episodes=4), regime)
    state = jax.jit(lambda key: init(key, Hyperparams(), 2))(jax.random.key(0))
    key_params = jax.random.split(jax.random.key(0), 4)[0]
    fresh = LanguageAgent.of(ENV, model, "obs").init(key_params)["params"]
    for name in ("policy", "next_token_0"):
        change = jax.tree.map(
            lambda a, b: float(jnp.abs(a - b).max()), state.params["params"][name], fresh[name]
        )
        assert (max(jax.tree.leaves(change)) > 1e-6) == (name in moved)
    assert jax.tree.all(jax.tree.map(jnp.array_equal, state.params, state.reference))


def test_what_a_rung_sets_where_the_user_is_silent():
    assert with_objective_defaults(Settings(), "rlhf").hyperparams["kl"] == 0.01
    assert with_objective_defaults(Settings(), "log_likelihood").hyperparams["entropy"] == 1.0
    assert (
        with_objective_defaults(Settings(hyperparams={"kl": 0.1}), "rlhf").hyperparams["kl"] == 0.1
    )
    assert "kl" not in with_objective_defaults(Settings(), "bandit").hyperparams


@pytest.mark.parametrize("family", popjax.FAMILIES)
def test_the_copycat_shortcut_is_closed_unless_asked_for(family):
    five = ("Autoencode", "CountRecall", "HigherLower", "RepeatFirst", "RepeatPrevious")
    env = popjax.FAMILIES[family]["Easy"]
    assert inputs_of(env, LMConfig()).endswith("+action") == (family not in five)


def test_an_oracle_that_peeks_must_be_asked_for():
    """Its own tag goes with it; the default one knows the history only."""
    env = popjax.make("LabyrinthEscapeEasy")
    assert oracle_of(env).sees == "history"
    assert oracle_of(env, shortest_path(env)).sees == "privileged"


def test_a_reference_player_that_peeks_is_no_oracle(monkeypatch):
    peeks = Player("peeks", "privileged", "optimal", tuple, lambda *_: None)
    monkeypatch.setattr("agents.objectives.oracles.make_player", lambda env, kind: peeks)
    with pytest.raises(ValueError, match="sees the hidden state"):
        oracle_of(ENV)
