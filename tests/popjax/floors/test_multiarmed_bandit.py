"""The law of a payoff, against the integral that it stands for."""

import jax
import numpy as np
import pytest
from scipy import integrate

import popjax
from popjax.floors import log_probs_along, make_law, surprise
from popjax.floors.multiarmed_bandit import code_length_of_tally, random_floor
from popjax.players import make_player, play

EASY = popjax.ENVS["MultiarmedBanditEasy"]


@pytest.mark.by_default("reference")
@pytest.mark.parametrize("kind", ["random", "reference"])
def test_the_order_of_the_pulls_does_not_matter(kind):
    """The code length of an episode depends on how often each arm paid and refused, no more."""
    episodes = play(EASY, make_player(EASY, kind), jax.random.key(0), 64)
    totals = surprise(make_law(EASY), episodes).sum(0)
    pulled = np.asarray(episodes.action)[..., None] == np.arange(EASY.num_arms)
    pulls, paid = pulled.sum(0), (pulled & (np.asarray(episodes.next_obs) == 1)[..., None]).sum(0)
    expected = [code_length_of_tally(p, n - p) for p, n in zip(paid, pulls, strict=True)]
    np.testing.assert_allclose(totals, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize(("paid", "refused"), [(0, 0), (3, 1), (0, 7), (5, 5)])
def test_the_code_length_is_the_integral_over_all_chances(paid, refused):
    """Of a sequence with so many payoffs, the chance being uniform on [0, 1]."""
    likelihood = integrate.quad(lambda p: p**paid * (1 - p) ** refused, 0, 1)[0]
    assert code_length_of_tally(paid, refused) == pytest.approx(-np.log(likelihood))


def test_the_law_sums_to_one():
    episodes = play(EASY, make_player(EASY, "random"), jax.random.key(1), 16)
    log_probs, _ = log_probs_along(make_law(EASY), episodes)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-6)


@pytest.mark.parametrize("level", ["Easy", "Medium", "Hard"])
def test_the_floor_of_uniform_play(level):
    """0.557 nats a pull at all three sizes."""
    assert random_floor(popjax.FAMILIES["MultiarmedBandit"][level]) == pytest.approx(
        0.557, abs=2e-3
    )


def test_sampled_episodes_agree_with_the_floor():
    episodes = play(EASY, make_player(EASY, "random"), jax.random.key(2), 1000)
    nats = surprise(make_law(EASY), episodes).mean(0)
    assert abs(nats.mean() - random_floor(EASY)) < 4 * nats.std() / np.sqrt(len(nats))
