"""Next-token training: the same backbone, exact nats, and what only memory can predict."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.held_out import held_out, per_token
from agents.inputs import input_size
from agents.language_agent import LanguageAgent
from agents.lm import Answered, LMConfig, answered, inputs_of, lm_loss, logits_along
from agents.memory import MEMORIES
from agents.nats import expected_nats, token_log_probs
from popjax.floors import code_lengths, floor, log_probs_along, make_law
from popjax.players import make_player, play
from popjax.tokens import target_of
from tests.support.probes import small_model, small_network


@pytest.mark.parametrize("memory", MEMORIES)
def test_both_costumes_have_the_same_backbone(memory):
    """Name by name and shape by shape, the agent's parameters fit the language model."""
    env = popjax.make("RepeatPreviousEasy")
    agent, model = small_network(env, memory), small_model(env, memory)
    assert agent.backbone == model.backbone

    def init(network):
        x = jnp.zeros((1, 1, input_size(env, "obs")))
        start = jnp.ones((1, 1), bool)
        params = network.init(jax.random.key(0), network.initial_carry(1), x, start)
        return params["params"]["backbone"]

    trees = [jax.eval_shape(lambda network=network: init(network)) for network in (agent, model)]
    chex.assert_trees_all_equal_shapes_and_dtypes(*trees)
    assert jax.tree.structure(trees[0]) == jax.tree.structure(trees[1])


@pytest.mark.slow
def test_the_agents_backbone_predicts():
    """An agent's backbone put into a language model thinks what it thought."""
    env = popjax.make("RepeatPreviousEasy")
    agent, model = small_network(env, "gru"), small_model(env)
    x = jax.random.normal(jax.random.key(0), (7, 3, input_size(env, "obs")))
    start = jnp.zeros((7, 3), bool)
    own = agent.init(jax.random.key(1), agent.initial_carry(3), x, start)
    params = model.init(jax.random.key(2), model.initial_carry(3), x, start)
    params["params"]["backbone"] = own["params"]["backbone"]

    def features(network, params, carry):
        return network.apply(
            params, carry, x, start, method=lambda net, *args: net.backbone(*args)[1]
        )

    np.testing.assert_array_equal(
        features(agent, own, agent.initial_carry(3)[0]),
        features(model, params, model.initial_carry(3)),
    )


@pytest.mark.by_default("CountRecallEasy")
@pytest.mark.parametrize(
    "env_id", ["MineSweeperEasy", "CountRecallEasy", "NoisyPositionOnlyCartPoleEasy"]
)
def test_the_loss_is_the_cross_entropy(env_id):
    """Against NumPy, token by token: the steps of episodes that ended are left out, and a token of
    two components costs what both cost."""
    env = popjax.make(env_id)
    network = small_model(env)
    agent = LanguageAgent.of(env, network, inputs_of(env, LMConfig()))
    params = jax.jit(agent.init)(jax.random.key(0))
    params = jax.tree.map(lambda leaf: 3 * leaf, params)
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 5)
    loss, metrics = jax.jit(lambda p: lm_loss(p, agent, episodes))(params)
    logits, token = jax.jit(lambda p: logits_along(p, agent, episodes))(params)
    logits, token = np.asarray(logits, np.float64), np.asarray(token)
    total, right, count, surprising = 0.0, 0, 0, 0.0
    for t, n in zip(*np.nonzero(np.asarray(episodes.valid)), strict=True):
        parts = np.split(logits[t, n], np.cumsum(network.sizes)[:-1])
        chances = [np.exp(part) / np.exp(part).sum() for part in parts]
        total -= sum(np.log(p[i]) for p, i in zip(chances, token[t, n], strict=True))
        right += all(p.argmax() == i for p, i in zip(chances, token[t, n], strict=True))
        surprising -= sum((p * np.log(p)).sum() for p in chances)
        count += 1
    assert 0 < count == episodes.lengths.sum() == metrics["gradient_tokens"]
    np.testing.assert_allclose(loss, total / count, rtol=1e-5)
    np.testing.assert_allclose(metrics["realised_nats"], total, rtol=1e-5)
    np.testing.assert_allclose(metrics["supervision_nats"], surprising, rtol=1e-5)
    np.testing.assert_allclose(metrics["accuracy"], right / count, rtol=1e-6)


@pytest.mark.by_default("CountRecallEasy")
@pytest.mark.parametrize(
    "env_id",
    [
        *("RepeatFirstEasy", "RepeatPreviousMedium", "AutoencodeEasy", "CountRecallEasy"),
        *("HigherLowerEasy", "MultiarmedBanditEasy", "ConcentrationEasy", "MineSweeperEasy"),
    ],
)
def test_the_law_itself_has_no_excess(env_id):
    """The true law in the model's place: its nats a token are the floor's, on the same episodes,
    for the answer to the last action is a token too and the first observation is none."""
    env = popjax.make(env_id)
    law, target = make_law(env), target_of(env)
    assert target.sizes == (law.num_tokens,)
    episodes = play(env, make_player(env, "random"), jax.random.key(0), 16)
    with jax.enable_x64(True):
        log_probs, _ = log_probs_along(law, episodes)
        logits = jnp.log(2.0) + log_probs  # a model's logits have no fixed sum
        log_prob, _ = token_log_probs(target.sizes, logits, target.tokens(episodes))
        nats = -jnp.sum(jnp.where(episodes.valid, log_prob, 0.0)) / jnp.sum(episodes.valid)
    own = code_lengths(env, episodes).sum() / episodes.lengths.sum()
    np.testing.assert_allclose(nats, own, atol=1e-6)
    if floor(env_id).player == "any":
        np.testing.assert_allclose(nats, floor(env_id).nats_per_token, atol=1e-6)


@pytest.mark.slow
def test_a_model_of_chance_has_the_excess_of_chance():
    """Logits all alike cost ln K a token, so the excess is that less the floor."""
    env = popjax.make("HigherLowerEasy")
    network = small_model(env)
    params = LanguageAgent.of(env, network, "obs").init(jax.random.key(0))
    params = jax.tree.map(jnp.zeros_like, params)
    found = per_token(held_out(env, network, params, jax.random.key(1), LMConfig(), 32))
    np.testing.assert_allclose(found["nats"], np.log(13), atol=1e-5)
    np.testing.assert_allclose(found["floor"], floor("HigherLowerEasy").nats_per_token, atol=1e-9)
    np.testing.assert_allclose(found["excess"], found["nats"] - found["floor"], atol=1e-9)
    assert found["excess_error"] < 1e-6


@pytest.mark.slow
def test_a_bound_is_read_on_the_same_episodes():
    env = popjax.make("LabyrinthEscapeEasy", limit=40)
    network = small_model(env)
    params = LanguageAgent.of(env, network).init(jax.random.key(0))
    sums = held_out(env, network, params, jax.random.key(1), LMConfig(), 3)
    assert {len(column) for column in sums.values()} == {3}
    assert (sums["floor"] > 0).all() and (sums["nats"] > sums["floor"]).all()


def test_uniform_logits_are_expected_to_cost_what_they_do():
    nats = expected_nats((4, 8), jnp.zeros((2, 12)))
    np.testing.assert_allclose(nats, np.log(4) + np.log(8), rtol=1e-6)


def test_documents_in_one_row_are_read_as_if_each_stood_alone():
    """Memory is reset at every start; without the resets one document leaks into the next."""
    env = popjax.make("HigherLowerEasy")
    agent = LanguageAgent.of(env, small_model(env), "obs")
    params = jax.tree.map(lambda leaf: 3 * leaf, jax.jit(agent.init)(jax.random.key(0)))
    apart = answered(agent, play(env, make_player(env, "random"), jax.random.key(1), 2))
    row = Answered(*(jnp.concatenate([part[:, :1], part[:, 1:]]) for part in apart))
    leaky = row._replace(start=row.start & (jnp.arange(len(row.start)) == 0)[:, None])
    read = jax.jit(lambda batch: agent.outputs(params, batch).token)
    alone, together, leaked = read(apart), read(row), read(leaky)
    alone = jnp.concatenate([alone[:, :1], alone[:, 1:]])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert jnp.abs(leaked - alone).max() > 0.05
