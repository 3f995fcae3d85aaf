"""The law of a hit, against all fleets of small boards and sampled ones of the real sizes."""

import jax
import numpy as np
import pytest

import popjax
from popjax.envs.battleship import Battleship
from popjax.floors import log_probs_along, make_law, surprise
from popjax.floors.battleship import PropagatedLaw, _boards, code_lengths, fleets, log_chance_of
from popjax.players import make_player, play
from tests.support.boards import initial_states
from tests.support.laws import check_counts

SMALL = Battleship(size=5, ships=(2, 3))
LEVELS = popjax.FAMILIES["Battleship"]


@pytest.mark.parametrize("env", [SMALL, Battleship(size=4, ships=(2, 2, 3))])
def test_sampled_boards_follow_the_law(env):
    boards, chances = _boards(env)
    np.testing.assert_allclose(chances.sum(), 1, atol=1e-12)
    drawn = initial_states(env, 40_000).board.reshape(40_000, -1)
    number = {board.tobytes(): i for i, board in enumerate(boards)}
    counts = np.bincount([number[board.tobytes()] for board in drawn], minlength=len(boards))
    check_counts(counts, chances * len(drawn))


@pytest.mark.by_default("reference")
@pytest.mark.parametrize("kind", ["random", "memoryless", "reference"])
def test_what_is_learnt_is_what_is_ruled_out(kind):
    """By the chain rule: nats told step by step sum to -ln P(all hits and misses)."""
    episodes = play(SMALL, make_player(SMALL, kind), jax.random.key(1), 64)
    law = make_law(SMALL)
    assert law.exact
    nats = surprise(law, episodes).sum(0)
    np.testing.assert_allclose(nats, code_lengths(SMALL, episodes), rtol=0, atol=1e-9)
    log_probs, _ = log_probs_along(law, episodes)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-5)


@pytest.mark.slow  # by default: what is learnt is what is ruled out
def test_policies_choose_when_to_be_surprised_not_how_much():
    """Whoever shoots until all is hit, and never twice, learns which board it is, on average its
    entropy."""
    _, chances = _boards(SMALL)
    entropy = -np.sum(chances * np.log(chances))
    totals = []
    for kind in ("memoryless", "reference"):
        episodes = play(SMALL, make_player(SMALL, kind), jax.random.key(2), 500)
        totals.append(code_lengths(SMALL, episodes))
        error = totals[-1].std() / np.sqrt(500)
        assert abs(totals[-1].mean() - entropy) < 4 * error
    np.testing.assert_allclose(*totals, rtol=0, atol=1e-9)  # the same boards, the same surprise


def test_all_fleets_of_a_real_size_have_a_chance():
    """82 million fleets are too many, but the first three ships of Easy are not."""
    env = Battleship(size=8, ships=(2, 3, 3))
    nothing = np.zeros(64, bool)
    boards, log_chance = fleets(env, nothing, nothing)
    chances = np.exp(log_chance)
    np.testing.assert_allclose(chances.sum(), 1, atol=1e-9)
    ours = chances @ boards
    drawn = initial_states(env, 50_000).board.reshape(50_000, -1).mean(0)
    assert (abs(drawn - ours) < 5 * np.sqrt(ours / 50_000)).all()
    some = np.flatnonzero(boards[:, 0] & boards[:, 1])  # the marginal chance of two hits
    np.testing.assert_allclose(
        log_chance_of(env, np.arange(64) < 2, nothing), np.log(chances[some].sum()), atol=1e-9
    )


@pytest.mark.slow  # by default: the exact law on small boards
@pytest.mark.parametrize("level", ["Easy", "Hard"])
def test_belief_propagation_is_a_bound(level):
    """Its loss lies above the floor on average, and not far."""
    env = LEVELS[level]
    assert not make_law(env).exact
    episodes = play(env, make_player(env, "reference"), jax.random.key(3), 64)
    floor, loss = code_lengths(env, episodes), surprise(PropagatedLaw(env), episodes).sum(0)
    assert 0 < (loss - floor).mean() < 0.2 * floor.mean()


@pytest.mark.slow  # by default: what is learnt is what is ruled out
def test_a_second_shot_is_no_surprise():
    episodes = play(SMALL, make_player(SMALL, "random"), jax.random.key(4), 16)
    cells = np.asarray(episodes.action) @ [5, 1]
    for law in (make_law(SMALL), PropagatedLaw(SMALL)):
        nats = surprise(law, episodes)
        for n in range(16):
            again = [cells[t, n] in cells[:t, n] for t in range(len(cells))]
            assert (nats[again, n] == 0).all()
