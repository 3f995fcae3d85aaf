"""The law of a turned card."""

import jax
import numpy as np
import pytest

import popjax
from popjax.floors import log_probs_along, make_law, surprise
from popjax.floors.concentration import whole_board
from popjax.players import make_player, play

LEVELS = popjax.FAMILIES["Concentration"]


def cards_seen(env, episodes):
    """`[N, cards]`, which were turned before the end."""
    turned = np.asarray(episodes.action)[..., None] == np.arange(env.num_cards)
    return (turned & np.asarray(episodes.valid)[..., None]).any(0)


@pytest.mark.by_default("reference")
@pytest.mark.parametrize("kind", ["random", "memoryless", "reference"])
def test_policies_choose_when_to_be_surprised_not_how_much(kind):
    """Whoever sees all cards has been surprised by ln(n! / (m!)^S) nats, whatever the policy."""
    env = LEVELS["Easy"]
    episodes = play(env, make_player(env, kind), jax.random.key(0), 256)
    totals = surprise(make_law(env), episodes).sum(0)
    all_seen = cards_seen(env, episodes).sum(1) >= env.num_cards - 1  # the last is no surprise
    np.testing.assert_allclose(totals[all_seen], whole_board(env), rtol=0, atol=1e-9)
    assert (totals[~all_seen] < whole_board(env) + 4).all()
    assert all_seen.all() if kind == "reference" else True


@pytest.mark.parametrize(("level", "total"), [("Easy", 33.84), ("Medium", 69.54), ("Hard", 115.05)])
def test_the_surprise_of_a_board(level, total):
    env = LEVELS[level]
    episodes = play(env, make_player(env, "reference"), jax.random.key(0), 16)
    np.testing.assert_allclose(surprise(make_law(env), episodes).sum(0), total, atol=6e-3)


@pytest.mark.parametrize("level", LEVELS)
def test_only_a_card_turned_for_the_first_time_is_in_doubt(level):
    env = LEVELS[level]
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 16)
    law = make_law(env)
    log_probs, tokens = log_probs_along(law, episodes)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)
    assert (np.asarray(tokens) < env.num_kinds).all()
    nats, actions = surprise(law, episodes), np.asarray(episodes.action)
    for n in range(actions.shape[1]):
        repeated = [actions[t, n] in actions[:t, n] for t in range(len(actions))]
        assert (nats[repeated, n] == 0).all()
        assert (nats[~np.array(repeated), n] > 0)[: env.num_cards // 2].all()
