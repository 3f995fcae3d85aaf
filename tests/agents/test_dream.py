"""Dreams: legal, repeatable from their own tokens, and as the model learned them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from agents.dream import dream
from agents.language_agent import LanguageAgent
from agents.lm import logits_along
from agents.memory import MEMORIES
from agents.nats import expected_nats, token_log_probs
from agents.networks import Backbone, LanguageModel
from popjax.players import Episodes, make_player, play, random_player
from popjax.tokens import target_of

FAMILIES = [
    *("RepeatFirstEasy", "CountRecallEasy", "AutoencodeEasy", "ConcentrationEasy"),
    *("MineSweeperEasy", "BattleshipEasy", "PositionOnlyCartPoleEasy", "LabyrinthEscapeEasy"),
]


def small_model(env, num_actions=0):
    backbone = Backbone((MEMORIES["gru"](features=8),))
    return LanguageModel(backbone, target_of(env).sizes, num_actions, head_features=8)


@pytest.mark.by_default("CountRecallEasy")
@pytest.mark.parametrize("env_id", FAMILIES)
def test_a_dream_shows_what_can_be_shown(env_id):
    """Every component of every token is below its size, every observation lies in the space, and
    its token is the one that was drawn."""
    env = popjax.make(env_id)
    agent = LanguageAgent.of(env, small_model(env))
    params = jax.jit(agent.init)(jax.random.key(0))
    player = random_player(env)
    dreams = jax.jit(lambda key: dream(agent, params, key, 3, player))(jax.random.key(1))
    sizes = np.array(target_of(env).sizes)
    assert dreams.token.shape == (env.max_steps, 3, len(sizes))
    assert (dreams.token >= 0).all() and (dreams.token < sizes).all()
    assert jax.vmap(jax.vmap(env.observation_space.contains))(dreams.next_obs).all()
    np.testing.assert_array_equal(dreams.obs[1:], dreams.next_obs[:-1])
    if env_id != "MineSweeperEasy":  # whose token also says how the episode goes on
        np.testing.assert_array_equal(target_of(env).tokens(_episodes(dreams)), dreams.token)


@pytest.mark.by_default("RepeatFirstEasy")
@pytest.mark.parametrize("env_id", FAMILIES)
def test_a_token_stands_for_the_observation_that_came(env_id):
    """Played for real, the tokens give back the observations: reals up to the width of a bin."""
    env = popjax.make(env_id)
    episodes = play(env, make_player(env, "random"), jax.random.key(0), 4, keep_states=True)
    tokens = target_of(env).tokens(episodes)
    _, obs = jax.jit(jax.vmap(jax.vmap(target_of(env).answer)))(
        episodes.state, episodes.action, tokens
    )
    if jnp.issubdtype(obs.dtype, jnp.integer):
        np.testing.assert_array_equal(obs[episodes.valid], episodes.next_obs[episodes.valid])
    else:
        again = target_of(env).tokens(episodes.replace(next_obs=obs))
        np.testing.assert_array_equal(again[episodes.valid], tokens[episodes.valid])


@pytest.mark.slow
def test_a_dream_follows_the_model():
    """How often each token is drawn at the first step is what the model says."""
    env = popjax.make("CountRecallEasy")
    agent = LanguageAgent.of(env, small_model(env), "obs")
    params = jax.jit(agent.init)(jax.random.key(0))
    params = jax.tree.map(lambda leaf: 3 * leaf, params)  # far from uniform
    dreams = jax.jit(lambda key: dream(agent, params, key, 4000, random_player(env)))(
        jax.random.key(1)
    )
    logits, token = jax.jit(lambda episodes: logits_along(params, agent, episodes))(
        _episodes(dreams)
    )
    expected = jnp.mean(jax.nn.softmax(logits), axis=1)  # [T, 4]
    counts = jnp.mean(jax.nn.one_hot(token[..., 0], 4), axis=1)
    assert jnp.max(jnp.abs(expected - 0.25)) > 0.1
    np.testing.assert_allclose(counts, expected, atol=4 * 0.5 / 4000**0.5)


@pytest.mark.slow
def test_the_components_of_a_token_are_drawn_together():
    """Under the model, what it draws costs as much as it expects: heads that read other components
    than those drawn before them would be surprised."""
    env = popjax.make("PositionOnlyCartPoleEasy")
    agent = LanguageAgent.of(env, small_model(env))
    params = jax.jit(agent.init)(jax.random.key(0))
    params = jax.tree.map(lambda leaf: 4 * leaf, params)

    @jax.jit
    def nats(key):
        dreams = dream(agent, params, key, 64, random_player(env))
        logits, token = logits_along(params, agent, _episodes(dreams))
        entropy = expected_nats(agent.network.sizes, logits)
        return entropy, -token_log_probs(agent.network.sizes, logits, token)[0]

    entropy, cost = nats(jax.random.key(1))
    assert entropy.mean() < 2 * np.log(64) - 0.3
    error = np.std(cost - entropy) / np.sqrt(cost.size)
    assert abs(np.mean(cost - entropy)) < 4 * error


@pytest.mark.slow
def test_the_action_head_acts_where_no_player_does():
    env = popjax.make("MultiarmedBanditEasy")
    agent = LanguageAgent.of(env, small_model(env, num_actions=env.action_space.flat_size))
    params = jax.jit(agent.init)(jax.random.key(0))
    dreams = jax.jit(lambda key: dream(agent, params, key, 16))(jax.random.key(1))
    assert len(np.unique(dreams.action)) == 10
    with pytest.raises(ValueError, match="needs a player"):
        dream(LanguageAgent.of(env, small_model(env)), params, jax.random.key(1), 1)


def _episodes(dreams):
    """A dream as if it had been played: no rewards, no end."""
    nothing = jnp.zeros(dreams.token.shape[:2])
    never = nothing > 0
    return Episodes(dreams.obs, dreams.action, nothing, dreams.next_obs, never, never, ~never)
