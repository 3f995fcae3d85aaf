"""The rules of MultiarmedBandit, as a player would state them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from popjax import batch
from popjax.envs.multiarmed_bandit import LEVELS
from popjax.players import make_player, play
from tests.support.laws import SMALLEST_P, check_same_law, check_uniform
from tests.support.reference import Given, check_replay, reference_env


def inject(reference, ours, n):
    reference.reset(seed=0)
    reference.bandits = np.array(ours.state.payoffs[0, n])
    return 0


def put_chance(reference, ours, n, t):
    """Our draw: below every payoff where our arm paid, above all of them where it did not."""
    reference.np_random = Given(1 - ours.next_obs[t, n])


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference_given_the_chance(level, kind):
    """How often an arm pays is compared by its law, below."""
    env = LEVELS[level]
    player = make_player(env, kind)
    check_replay(env, f"MultiarmedBandit{level}", player, inject, before_step=put_chance)


@pytest.mark.parametrize("level", LEVELS)
def test_payoffs_begin_uniform(level):
    env = LEVELS[level]
    states, timesteps = batch.reset(env, jax.random.key(0), 1000)
    assert (timesteps.obs == 0).all()
    check_uniform(states.payoffs, 0, 1)
    reference = reference_env(f"MultiarmedBandit{level}")
    reference.reset(seed=0)
    theirs = np.array([(reference.reset(), reference.bandits)[1] for _ in range(500)])
    check_same_law(states.payoffs, theirs)
    correlations = np.corrcoef(np.asarray(states.payoffs).T) - np.eye(env.num_arms)
    assert np.abs(correlations).max() < 5 / np.sqrt(1000)


def test_an_arm_pays_as_often_as_its_payoff_says():
    """In each of 25 classes of payoff, and independently of the pull before."""
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 500, keep_states=True)
    payoff = np.take_along_axis(
        np.asarray(episodes.state.payoffs), np.asarray(episodes.action)[..., None], axis=-1
    )[..., 0]
    surprise = np.asarray(episodes.next_obs) - payoff
    classes = (payoff * 25).astype(int)
    total = np.array([surprise[classes == c].sum() for c in range(25)])
    spread = np.array([(payoff * (1 - payoff))[classes == c].sum() for c in range(25)])
    p = stats.chi2(25).sf((total**2 / spread).sum())
    assert SMALLEST_P < p < 1 - SMALLEST_P
    echo = np.corrcoef(surprise[1:].ravel(), surprise[:-1].ravel())[0, 1]
    assert abs(echo) < 4 / np.sqrt(surprise[1:].size)


def test_the_observation_does_not_say_which_arm_was_pulled():
    """So the task cannot be learnt without the previous action, which a port left out."""
    for level, env in LEVELS.items():
        assert env.needs_previous_action
        assert reference_env(f"MultiarmedBandit{level}").obs_requires_prev_action
    env = LEVELS["Easy"]
    state, _ = env.reset(jax.random.key(2))
    state = state.replace(payoffs=jnp.ones(10))
    assert {env.step(jax.random.key(3), state, arm)[1].obs.item() for arm in range(10)} == {1}


@pytest.mark.slow
@pytest.mark.parametrize("level", LEVELS)
def test_players_that_remember_more_earn_more(level):
    env = LEVELS[level]
    earned = {
        kind: play(env, make_player(env, kind), jax.random.key(4), 300).returns.mean()
        for kind in ("random", "memoryless", "reference")
    }
    assert earned["random"] < earned["memoryless"] - 0.2 < earned["reference"] - 0.4
