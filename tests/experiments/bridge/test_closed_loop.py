"""Measures of the closed loop against hand-made models and exact rules."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.language_agent import LanguageAgent
from experiments.bridge.decks import TINY
from experiments.bridge.measures.closed_loop import (
    against_deck,
    best_arm,
    habits,
    hallucination,
)
from experiments.bridge.measures.exposure_bias import judge
from popjax.envs.multiarmed_bandit import MultiarmedBandit
from popjax.players import make_player, play

pytestmark = pytest.mark.usefixtures("quickly_compiled")

ENV, KEY = TINY["RepeatFirst"], jax.random.key(0)
BANDIT = MultiarmedBandit(num_arms=3, max_steps=12)


class Counter:
    """In a network's place, the exact law of the next card with a share of it spread evenly over
    the suits: what it does to a dreamt deck is then known. `params` is the share."""

    sizes, num_actions = (4,), 0

    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, 4))

    def apply(self, params, carry, x, *rest, method=None):
        if getattr(method, "__name__", "") == "token_logits":
            return self.logits(params, carry)  # the features

        def one(carry, step):
            card, start = step
            carry = jnp.where(start[:, None], 0.0, carry) + card
            return carry, carry

        carry, counts = jax.lax.scan(one, carry, (x[..., :4], rest[0]))
        return carry, counts if method else self.logits(params, counts)

    def logits(self, share, counts):
        left = jnp.maximum(4 - counts, 0)
        law = left / jnp.maximum(jnp.sum(left, axis=-1, keepdims=True), 1)
        return jnp.log(jnp.maximum((1 - share) * law + share / 4, 1e-30))


@pytest.fixture(scope="module")
def dreamt():
    """Of the exact law, of one with a tenth spread evenly, and of one that knows nothing."""
    one = partial(hallucination, ENV, Counter(), num_dreams=2000, each=4)
    shares = jnp.array([0.0, 0.1, 1.0])
    return jax.jit(jax.vmap(lambda share: one(share, KEY)))(shares)


def test_who_knows_the_law_dreams_legal_decks(dreamt):
    assert dreamt["legal"][0] == 1 and (dreamt["impossible"][0] == 0).all()
    np.testing.assert_allclose(dreamt["excess"][0], 0, atol=1e-5)
    total = dreamt["bayes_nats"][0].sum()
    np.testing.assert_allclose(dreamt["model_nats"][0].sum(), total, rtol=1e-5)
    np.testing.assert_allclose(total, 16.57, atol=0.02)  # ln 16! / 4!^4 - ln 4


def test_a_dreamer_without_memory_seldom_dreams_a_legal_deck(dreamt):
    """Independent suits: a deck is legal with probability 16! / (4!^4 4^16), given the first."""
    legal = 63063000 / 4**16
    assert dreamt["legal"][2] == pytest.approx(legal, abs=4 * (legal / 2000) ** 0.5)
    assert (np.diff(dreamt["broken"], axis=1) >= 0).all()
    np.testing.assert_allclose(dreamt["broken"][:, -1], 1 - dreamt["legal"], atol=1e-6)
    np.testing.assert_allclose(dreamt["model_nats"][2], np.log(4), rtol=1e-5)
    assert dreamt["legal"][0] > dreamt["legal"][1] > dreamt["legal"][2]
    last = dreamt["impossible"][1, -1]
    assert last == pytest.approx(0.075, abs=0.03), "three of four suits are out by then"


def test_excess_on_dealt_decks_is_the_divergence_of_the_laws():
    decks = play(ENV, make_player(ENV), KEY, 512)
    cards = jnp.concatenate([decks.obs, decks.next_obs[-1:]])
    found = jax.jit(lambda share: against_deck(ENV, Counter(), share, cards, 4))(1.0)
    assert found["legal"] == 1
    entropy = np.asarray(found["bayes_nats"])
    np.testing.assert_allclose(found["excess"], np.log(4) - entropy, atol=0.12)
    np.testing.assert_allclose(found["excess"][-1], np.log(4), rtol=1e-4)


class Deluded:
    """In a network's place, a clone of who sees the best arm: it reads its last action as the
    expert's word, and guesses at first."""

    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, 1))

    def apply(self, params, carry, x, start, *unread):
        previous = x[..., 2:5]
        guess = jnp.where(start[..., None], jnp.ones(3) / 3, previous)
        return carry, None, jnp.log(guess + 1e-9)


@pytest.mark.slow
def test_a_clone_of_who_sees_stays_with_its_first_guess():
    """It predicts the expert perfectly after the first step, and alone earns what an arm at random
    does: nothing, where the expert earns one half."""
    one = partial(judge, LanguageAgent.of(BANDIT, Deluded()), 3000, oracle=best_arm(BANDIT))
    found = jax.jit(partial(one, more=partial(habits, num_arms=3)))((), KEY)
    np.testing.assert_allclose(found["open_right"][1:], 1, atol=1e-4)
    np.testing.assert_allclose(found["closed_right"], 1 / 3, atol=0.03)
    assert found["return"] == pytest.approx(0, abs=0.04)
    assert found["stayed"] == found["locked"] == 1 and found["entropy"] < 1e-6
    expert = habits(play(BANDIT, best_arm(BANDIT), KEY, 3000), 3)
    assert expert["return"] == pytest.approx(0.5, abs=0.03)
    random = habits(play(BANDIT, make_player(BANDIT, "random"), KEY, 3000), 3)
    assert random["stayed"] < 0.01 and random["entropy"] > 0.9
