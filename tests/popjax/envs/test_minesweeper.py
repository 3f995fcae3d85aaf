"""The rules of MineSweeper, as a player would state them."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from popjax.envs.minesweeper import LEVELS, MineSweeper, State, draw_mines
from popjax.players import make_player, play
from popjax.players.mine_chances import mine_chances
from tests.support.boards import LAGS, begin, check_same_means, follow, initial_states, pairs_at
from tests.support.laws import check_counts
from tests.support.reference import check_replay, reference_env

EASY, HARD = LEVELS["Easy"], LEVELS["Hard"]


def counts_of(mines):
    """`[rows, cols]` the mines in each cell and around it."""
    padded = np.pad(np.asarray(mines, int), 1)
    rows, cols = np.shape(mines)
    return sum(padded[i : i + rows, j : j + cols] for i in range(3) for j in range(3))


def board(mines, size):
    """The state in which the game begins on a given board."""
    grid = np.zeros((size, size), bool)
    grid[tuple(np.transpose(mines))] = True
    return State(jnp.asarray(grid), jnp.zeros_like(grid), jnp.int32(0))


def inject(reference, ours, n):
    obs, _ = reference.reset()
    mines = ours.state.mines[0, n]
    reference.hidden_grid = mines.astype(np.int8)
    reference.neighbor_grid = counts_of(mines).astype(np.int8)
    return obs


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"MineSweeper{level}", make_player(env, kind), inject)


@pytest.mark.parametrize("level", LEVELS)
def test_mines_lie_as_in_the_reference(level):
    reference, theirs = reference_env(f"MineSweeper{level}"), []
    for seed in range(2500):
        reference.reset(seed=seed)
        np.testing.assert_array_equal(reference.neighbor_grid, counts_of(reference.hidden_grid))
        theirs.append(reference.hidden_grid == 1)
    ours, theirs = initial_states(LEVELS[level], 4000).mines, np.array(theirs)
    check_same_means(ours, theirs, "mine in each cell")
    pairs = [np.stack([pairs_at(b, *lag) for lag in LAGS], axis=1) for b in (ours, theirs)]
    check_same_means(*pairs, "pairs of mines")


@pytest.mark.parametrize(("num_mines", "num_cells"), [(2, 16), (3, 7), (4, 5)])
def test_every_set_of_mines_is_equally_likely(num_mines, num_cells):
    keys = jax.random.split(jax.random.key(0), 20_000)
    draw = jax.jit(jax.vmap(lambda key: draw_mines(key, num_mines, num_cells)))
    found = {cells: 0 for cells in itertools.combinations(range(num_cells), num_mines)}
    for mines in np.asarray(draw(keys)):
        found[tuple(np.flatnonzero(mines).tolist())] += 1
    check_counts(list(found.values()), np.full(len(found), len(keys) / len(found)))


def test_nothing_is_told_at_first():
    _, timestep = jax.jit(EASY.reset)(jax.random.key(0))
    assert timestep.obs == 0


@pytest.mark.parametrize("level", LEVELS)
def test_a_win_is_reached_when_no_clear_cell_is_left(level):
    """In ports it never was."""
    env = LEVELS[level]
    state = begin(env)
    _, steps = follow(env, state, np.argwhere(~np.asarray(state.mines)))
    np.testing.assert_allclose(steps.reward.sum(), 1, atol=1e-5)
    assert steps.terminated.tolist() == [False] * (env.max_steps - 1) + [True]
    assert not steps.truncated.any()


def test_a_mine_ends_the_game():
    state = board([(0, 0), (3, 3)], size=4)
    _, steps = follow(EASY, state, [(1, 1), (0, 0)])
    np.testing.assert_allclose(steps.reward, [1 / 14, -0.5 - 1 / 14], rtol=1e-6)
    assert steps.terminated.tolist() == [False, True]
    assert not steps.truncated.any()


def test_the_count_includes_the_cell_itself():
    state = board([(0, 0), (0, 1)], size=4)
    _, steps = follow(EASY, state, [(3, 3), (1, 1), (0, 2), (0, 0)])
    assert steps.obs.tolist() == [0, 2, 1, 2]


def test_counts_are_not_cut_off():
    """Ports knew fewer of them: eight mines around a cell are told, and nine with its own."""
    block = list(itertools.product(range(1, 4), range(1, 4)))
    ring = [cell for cell in block if cell != (2, 2)]
    _, steps = follow(HARD, board([*ring, (7, 6), (7, 7)], size=8), [(2, 2)])
    assert steps.obs.tolist() == [8]
    _, steps = follow(HARD, board([*block, (7, 7)], size=8), [(2, 2)])
    assert steps.obs.tolist() == [9]
    assert [env.observation_space.sizes for env in LEVELS.values()] == [3, 7, 10]


def test_a_cell_opened_again_costs_and_tells_the_same():
    state = board([(0, 0), (3, 3)], size=4)
    state, steps = follow(EASY, state, [(1, 1), (1, 1), (1, 1)])
    np.testing.assert_allclose(steps.reward, [1 / 14, -0.5 / 12, -0.5 / 12], rtol=1e-6)
    assert steps.obs.tolist() == [1, 1, 1]
    assert state.viewed.sum() == 1


def test_a_cell_opened_twice_rules_out_a_win():
    state = begin(EASY)
    clear = np.argwhere(~np.asarray(state.mines))
    _, steps = follow(EASY, state, np.concatenate([clear[:1], clear[:-1]]))
    assert not steps.terminated.any()
    assert steps.truncated.tolist() == [False] * 13 + [True]


def test_a_mine_at_the_last_step_does_not_truncate():
    state = begin(EASY)
    clear, mine = (np.argwhere(np.asarray(state.mines) == m) for m in (False, True))
    _, steps = follow(EASY, state, np.concatenate([clear[:13], mine[:1]]))
    assert steps.terminated[-1] and not steps.truncated[-1]


@pytest.mark.parametrize("level", LEVELS)
def test_the_worst_play_earns_minus_one(level):
    env = LEVELS[level]
    state = begin(env)
    clear, mine = (np.argwhere(np.asarray(state.mines) == m)[:1] for m in (False, True))
    _, steps = follow(env, state, np.concatenate([clear] * (env.max_steps - 1) + [mine]))
    np.testing.assert_allclose(steps.reward.sum(), env.return_bounds[0], atol=1e-5)


def test_flat_actions_name_the_same_cells():
    flat = MineSweeper(size=4, num_mines=2, flat_actions=True)
    players = [(env, make_player(env, "memoryless")) for env in (EASY, flat)]
    two, one = (play(env, player, jax.random.key(3), 8) for env, player in players)
    np.testing.assert_array_equal(two.action @ np.array([4, 1]), one.action)
    np.testing.assert_array_equal(two.reward, one.reward)


@pytest.mark.slow  # by default: the law is the share of the boards that agree
@pytest.mark.parametrize(("size", "num_mines"), [(4, 5), (5, 4)])
def test_the_reference_player_knows_the_exact_chances(size, num_mines):
    """Against a list of all layouts, in positions of any kind."""
    sets = np.array(list(itertools.combinations(range(size**2), num_mines)))
    layouts = np.zeros((len(sets), size**2), bool)
    np.put_along_axis(layouts, sets, True, axis=1)
    counts = np.array([counts_of(x.reshape(size, size)).reshape(-1) for x in layouts])
    chances = jax.jit(lambda opened, counts: mine_chances(opened, counts, num_mines))
    rng = np.random.default_rng(0)
    for _ in range(40):
        true = rng.integers(len(sets))
        opened = ~layouts[true] & (rng.random(size**2) < rng.random())
        agree = (counts[:, opened] == counts[true, opened]).all(1) & ~layouts[:, opened].any(1)
        shape = size, size
        found = chances(opened.reshape(shape), np.where(opened, counts[true], 0).reshape(shape))
        np.testing.assert_allclose(found.reshape(-1), layouts[agree].mean(0), atol=1e-5)


@pytest.mark.by_default("memoryless-0.2")
@pytest.mark.parametrize(("kind", "at_least"), [("memoryless", 0.2), ("reference", 0.6)])
def test_what_players_earn(kind, at_least):
    returns = play(EASY, make_player(EASY, kind), jax.random.key(4), 300).returns
    assert at_least < returns.mean() < 1


def test_chances_on_a_board_with_more_layouts_than_a_float32_holds():
    """One of three neighbours of the corner is a mine, and 69 of the other 140 cells."""
    opened = jnp.zeros((12, 12), bool).at[0, 0].set(True)
    told = jnp.zeros((12, 12), jnp.int32).at[0, 0].set(1)
    chances = jax.jit(mine_chances, static_argnums=(2, 3))(opened, told, 70, 4)
    np.testing.assert_allclose(chances[0, :3], [0, 1 / 3, 69 / 140], rtol=1e-4)
    np.testing.assert_allclose(chances.sum(), 70, rtol=1e-4)
