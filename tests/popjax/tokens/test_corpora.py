"""A corpus is a function of environment, player, seed and size."""

from functools import partial

import jax
import numpy as np
import pytest

import popjax
from popjax.floors import code_lengths, floor_of
from popjax.players import Player, make_player, play
from popjax.tokens import SOURCES, corpora, corpus, source, stream, target_of

ENV = popjax.ENVS["CountRecallEasy"]


def same(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(np.array_equal(x, y) for x, y in pairs)


@pytest.mark.by_default("reference")
@pytest.mark.parametrize("kind", SOURCES)
def test_the_same_arguments_give_the_same_bits(kind):
    episodes = corpus(ENV, kind, 0, 6)
    again = corpus(popjax.make("CountRecallEasy"), kind, 0, 6)
    assert episodes.obs.shape == (51, 6, 2) and episodes.valid.all()
    assert same(episodes, again)
    assert not same(episodes, corpus(ENV, kind, 1, 6))
    jax.clear_caches()
    assert same(episodes, corpus(ENV, kind, 0, 6)), "compiled anew"


@pytest.mark.slow
def test_the_mixture_is_in_three_parts():
    returns = np.asarray(corpus(ENV, "mixture", 0, 30).returns)
    random, reference, slipping = returns[:10], returns[10:20], returns[20:]
    np.testing.assert_allclose(reference, 1.0, atol=1e-5)
    assert random.max() < slipping.min() and slipping.mean() < 0.95
    wrong = (1 - slipping).mean() / 2  # of answers; a slip is right one time in 27
    assert abs(wrong - corpora.EPSILON * 26 / 27) < 0.04
    assert [corpus(ENV, "mixture", 0, n).obs.shape[1] for n in (1, 2, 5)] == [1, 2, 5]


def test_an_endless_corpus_never_repeats_and_can_be_entered_anywhere():
    parts = jax.jit(jax.vmap(lambda update: stream(ENV, "random", 0, update, 2)))(np.arange(3))
    for update in range(3):
        part = jax.tree.map(lambda leaf: leaf[update], parts)  # noqa: B023
        assert same(part, stream(ENV, "random", 0, update, 2))
    assert not np.array_equal(parts.obs[0], parts.obs[1])


def test_a_player_first_asked_for_inside_a_program_serves_the_next_one():
    env = popjax.make(
        "HigherLowerEasy", deck=popjax.Deck(13, 8)
    )  # whose player has a table of ranks
    sizes = [corpus(env, "reference", 0, size).obs.shape[1] for size in (1, 2)]
    assert sizes == [1, 2]


def test_a_word_that_is_no_source():
    with pytest.raises(ValueError, match="did you mean 'mixture'"):
        corpus(ENV, "mixtur", 0, 2)


@pytest.mark.by_default(
    "NoisyPositionOnlyCartPoleHard-random",
    "HigherLowerHard-random",
    "NoisyPositionOnlyPendulumEasy-memoryless",
    "MineSweeperMedium-random",
    "MineSweeperHard-random",
    "HigherLowerMedium-random",
)
@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize("env", popjax.ENVS.values(), ids=popjax.ENVS)
def test_a_source_is_tagged_by_what_its_players_see(env, kind):
    sees = {player.sees for player in corpora.players_of(env, kind)}
    assert source(env, kind) == ("privileged" if "privileged" in sees else "history")
    assert make_player(env).sees == "history" or source(env, "reference") == "privileged"


@pytest.mark.slow
@pytest.mark.parametrize("family", popjax.FAMILIES)
def test_the_law_knows_more_of_a_corpus_than_a_uniform_guess(family):
    """Of the mixture's: random, good and slipping players, all with the actions that they took."""
    env = popjax.FAMILIES[family]["Easy"]
    kept = partial(play, env, keep_states=True)  # the bound of a maze looks at all of it
    players = corpora.players_of(env, "mixture")
    episodes = corpora.in_parts(players, jax.random.key(0), 12, kept)
    valid = np.asarray(episodes.valid)
    inside = jax.vmap(jax.vmap(env.action_space.contains))(episodes.action)
    assert np.asarray(inside)[valid].all()
    nats = code_lengths(env, episodes).sum() / valid.sum()
    uniform = np.log(target_of(env).sizes).sum()
    assert nats <= uniform if floor_of(env).BOUND else nats < uniform


def test_a_player_that_looks_at_the_state_makes_a_source_privileged(monkeypatch):
    knows = Player("knows", "privileged", "optimal", tuple, lambda *_: None)
    monkeypatch.setattr(corpora, "player_of", lambda env, kind: knows)
    corpora.slips.cache_clear()
    assert source(ENV, "reference") == source(ENV, "mixture") == "privileged"
    corpora.slips.cache_clear()
