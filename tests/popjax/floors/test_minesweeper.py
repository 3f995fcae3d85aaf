"""The law of a count, against all layouts written down one by one."""

import itertools
import math

import jax
import numpy as np
import pytest

import popjax
from popjax.floors import log_probs_along, make_law, surprise
from popjax.floors.minesweeper import code_lengths, num_layouts
from popjax.players import make_player, play
from popjax.players.mine_chances import touching
from tests.support.boards import initial_states
from tests.support.laws import check_counts

LEVELS = popjax.FAMILIES["MineSweeper"]


def all_boards(env):
    """`[C(cells, mines)]` every layout, a bit a cell."""
    ones = np.uint64(1) << np.arange(env.num_cells, dtype=np.uint64)
    sets = itertools.combinations(range(env.num_cells), env.num_mines)
    flat = np.fromiter(itertools.chain.from_iterable(sets), np.int64)
    return ones[flat.reshape(-1, env.num_mines)].sum(1, dtype=np.uint64)


def neighbourhoods(env):
    near = touching(env.size) | np.eye(env.num_cells, dtype=bool)
    return (near * (np.uint64(1) << np.arange(env.num_cells, dtype=np.uint64))).sum(
        1, dtype=np.uint64
    )


def answers(env, boards, cell):
    """What each board answers: 2 * count + mine."""
    count = np.bitwise_count(boards & neighbourhoods(env)[cell]).astype(int)
    return 2 * count + ((boards >> np.uint64(cell)) & np.uint64(1)).astype(int)


def laws_by_enumeration(env, cells, tokens):
    """Step by step, the share of the boards that are left which give each answer."""
    boards = all_boards(env)
    for cell, token in zip(cells, tokens, strict=True):
        found = answers(env, boards, cell)
        yield np.bincount(found, minlength=2 * env.observation_space.sizes) / len(boards)
        boards = boards[found == token]


@pytest.mark.by_default("Easy-reference-32")
@pytest.mark.parametrize(
    ("level", "kind", "num_episodes"),
    [("Easy", "random", 32), ("Easy", "reference", 32), ("Medium", "reference", 3)],
)
def test_the_law_is_the_share_of_the_boards_that_agree(level, kind, num_episodes):
    env = LEVELS[level]
    episodes = play(env, make_player(env, kind), jax.random.key(0), num_episodes)
    with jax.enable_x64(True):
        log_probs, tokens = jax.device_get(log_probs_along(make_law(env), episodes))
    actions, valid = np.asarray(episodes.action), np.asarray(episodes.valid)
    for n in range(num_episodes):
        now = valid[:, n]
        cells = actions[now, n] @ [env.size, 1]
        expected = list(laws_by_enumeration(env, cells, tokens[now, n]))
        np.testing.assert_allclose(np.exp(log_probs[now, n]), expected, rtol=0, atol=1e-12)


@pytest.mark.slow  # by default: the share of the boards that agree
@pytest.mark.parametrize(("level", "num_episodes"), [("Easy", 256), ("Medium", 16), ("Hard", 4)])
@pytest.mark.parametrize("kind", ["random", "reference"])
def test_what_is_learnt_is_what_is_ruled_out(level, kind, num_episodes):
    """By the chain rule: nats told step by step sum to ln(all layouts / layouts left)."""
    env = LEVELS[level]
    episodes = play(env, make_player(env, kind), jax.random.key(1), num_episodes)
    nats = surprise(make_law(env), episodes)
    np.testing.assert_allclose(nats.sum(0), code_lengths(env, episodes), rtol=0, atol=1e-9)


@pytest.mark.slow  # by default: the law is the share of the boards that agree
@pytest.mark.parametrize("level", LEVELS)
def test_a_win_tells_all(level):
    """Whoever opens every clear cell has been told ln C(cells, mines) nats: 4.79, 14.48, 25.74."""
    env = LEVELS[level]
    episodes = play(env, make_player(env, "reference"), jax.random.key(2), 24)
    won = np.asarray(episodes.terminated & (episodes.reward > 0)).any(0)
    assert won.any()
    everything = math.log(math.comb(env.num_cells, env.num_mines))
    np.testing.assert_allclose(code_lengths(env, episodes)[won], everything, rtol=0, atol=1e-9)


def test_layouts_are_counted_right():
    """Against all 1,947,792 of the Medium board, for what was told of a few sampled ones."""
    env, boards = LEVELS["Medium"], all_boards(LEVELS["Medium"])
    random = np.random.default_rng(0)
    for _ in range(12):
        true = random.choice(boards)
        cells = random.choice(env.num_cells, random.integers(1, 12), replace=False)
        mines = [c for c in cells if int(true) >> int(c) & 1]
        agree = np.ones(len(boards), bool)
        for cell in cells:
            agree &= answers(env, boards, cell) == answers(env, true[None], cell)
        told = {int(c): answers(env, true[None], c)[0] // 2 for c in cells}
        assert num_layouts(6, 6, told, frozenset(map(int, mines))) == agree.sum()
    assert num_layouts(6, 6, {0: 0, 7: 9}, frozenset()) == 0


@pytest.mark.parametrize("level", LEVELS)
def test_sampled_boards_follow_the_law_of_the_first_answer(level):
    env, num_boards = LEVELS[level], 20_000
    law = make_law(env)
    mines = initial_states(env, num_boards).mines.astype(int)
    for row, col in [(0, 0), (0, 2), (2, 2)]:
        around = mines[:, max(0, row - 1) : row + 2, max(0, col - 1) : col + 2].sum((1, 2))
        drawn = np.bincount(2 * around + mines[:, row, col], minlength=law.num_tokens)
        log_probs = jax.jit(law.log_probs)(law.begin(0), np.array([row, col]))
        share = np.exp(np.asarray(log_probs, np.float64))
        np.testing.assert_allclose(share.sum(), 1, atol=1e-5)
        expected = share / share.sum() * num_boards
        rare = expected < 5
        drawn, expected = (np.append(x[~rare], x[rare].sum()) for x in (drawn, expected))
        check_counts(drawn, expected, f"cell {row, col}")


@pytest.mark.slow
def test_too_many_classes_are_no_law():
    """Better not a number than a wrong one."""
    env = LEVELS["Medium"]
    law = type(make_law(env))(env, num_classes=1)
    episodes = play(env, make_player(env, "reference"), jax.random.key(0), 2)
    assert np.isnan(surprise(law, episodes)).any()
