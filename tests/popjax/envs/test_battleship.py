"""The rules of Battleship, as a player would state them."""

import itertools

import jax
import numpy as np
import pytest

from popjax.envs.battleship import LEVELS, Battleship, place_fleet
from popjax.players import make_player, play
from popjax.players.battleship import chance_of_ship
from tests.support.boards import LAGS, begin, check_same_means, follow, initial_states, pairs_at
from tests.support.laws import check_counts
from tests.support.reference import check_replay, reference_env

EASY = LEVELS["Easy"]
HIT, MISS = 1 / 12, -1 / 52


def inject(reference, ours, n):
    obs, _ = reference.reset()
    reference.board = ours.state.board[0, n].astype(np.int8)
    return obs


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"Battleship{level}", make_player(env, kind), inject)


@pytest.fixture(scope="module", params=list(LEVELS))
def boards(request):
    """4,000 boards of ours and 3,000 of the reference's own generator."""
    reference = reference_env(f"Battleship{request.param}")
    theirs = []
    for seed in range(3000):
        reference.reset(seed=seed)
        theirs.append(reference.board)
    return initial_states(LEVELS[request.param], 4000).board, np.array(theirs, bool)


def test_ships_lie_as_often_on_each_cell_as_in_the_reference(boards):
    check_same_means(*boards, "ship on each cell")


def test_ships_lie_as_close_to_each_other_as_in_the_reference(boards):
    pairs = [np.stack([pairs_at(b, *lag) for lag in LAGS], axis=1) for b in boards]
    check_same_means(*pairs, "pairs of ship cells")
    rim = np.ones_like(boards[0][0])
    rim[1:-1, 1:-1] = False
    rims = [(b & rim).sum((1, 2)) for b in boards]
    check_same_means(*rims, "ship cells on the rim")


def test_ships_lie_across_and_upright_alike(boards):
    """Ports placed more of them in one direction."""
    ours, _ = boards
    check_same_means(ours, ours.transpose(0, 2, 1)[::-1], "board and its mirror image")
    across, upright = (pairs_at(ours, *lag) for lag in ((0, 1), (1, 0)))
    check_same_means(across, upright, "neighbours in a row and in a column")


def places(size, length):
    """Every place of a ship, as a set of cells."""
    for line, start in itertools.product(range(size), range(size - length + 1)):
        run = range(start, start + length)
        yield frozenset(line * size + i for i in run)
        yield frozenset(i * size + line for i in run)


def law_of_boards(size, ships):
    """The chance of each board: each ship lies in any free place with equal chance, in order."""
    law = {frozenset(): 1.0}
    for length in ships:
        grown = {}
        for board, chance in law.items():
            free = [place for place in places(size, length) if not place & board]
            for place in free:
                grown[board | place] = grown.get(board | place, 0.0) + chance / len(free)
        law = grown
    return law


@pytest.mark.by_default("3-ships1")
@pytest.mark.parametrize(("size", "ships"), [(4, (2,)), (3, (2, 3)), (4, (3, 2))])
def test_each_ship_lies_in_any_free_place_with_equal_chance(size, ships):
    """The whole law, on boards small enough to list. Boards are not uniform: where the first ship
    leaves the second fewer places, each of these is likelier."""
    law = law_of_boards(size, ships)
    assert (max(law.values()) > 1.2 * min(law.values())) == (len(ships) > 1)
    keys = jax.random.split(jax.random.key(1), 20_000)
    drawn = jax.jit(jax.vmap(lambda key: place_fleet(key, size, ships)))(keys)
    found = {board: 0 for board in law}
    for board in np.asarray(drawn).reshape(len(keys), -1):
        found[frozenset(np.flatnonzero(board).tolist())] += 1
    check_counts(list(found.values()), np.array(list(law.values())) * len(keys))


def test_a_hit_is_told_and_earns_its_share():
    state = begin(EASY)
    ship, sea = np.argwhere(state.board)[0], np.argwhere(~np.asarray(state.board))[0]
    state, steps = follow(EASY, state, [ship, sea])
    assert steps.obs.tolist() == [1, 0]
    np.testing.assert_allclose(steps.reward, [HIT, MISS], rtol=1e-6)


def test_a_second_shot_at_a_hit_is_a_miss():
    ship = np.argwhere(begin(EASY).board)[0]
    state, steps = follow(EASY, begin(EASY), [ship, ship, ship])
    assert steps.obs.tolist() == [1, 0, 0]
    np.testing.assert_allclose(steps.reward, [HIT, MISS, MISS], rtol=1e-6)
    assert state.hits == 1


@pytest.mark.parametrize("level", LEVELS)
def test_hits_alone_earn_one_and_misses_alone_the_least(level):
    env = LEVELS[level]
    state = begin(env)
    _, steps = follow(env, state, np.argwhere(state.board))
    np.testing.assert_allclose(steps.reward.sum(), 1, atol=1e-5)
    assert steps.terminated.tolist() == [False] * 11 + [True]
    assert not steps.truncated.any()
    sea = np.argwhere(~np.asarray(state.board))[0]
    _, steps = follow(env, state, np.tile(sea, (env.max_steps, 1)))
    np.testing.assert_allclose(steps.reward.sum(), env.return_bounds[0], atol=1e-5)
    assert steps.truncated.tolist() == [False] * (env.max_steps - 1) + [True]
    assert not steps.terminated.any()


def test_every_cell_once_earns_nothing_and_can_set_both_flags():
    state = begin(EASY)
    cells = np.argwhere(np.ones((8, 8)))
    sea_first = cells[np.argsort(np.asarray(state.board)[*cells.T], kind="stable")]
    _, steps = follow(EASY, state, sea_first)
    np.testing.assert_allclose(steps.reward.sum(), 0, atol=1e-5)
    assert steps.terminated[-1] and steps.truncated[-1]
    assert not steps.terminated[:-1].any() and not steps.truncated[:-1].any()


def test_flat_actions_name_the_same_cells():
    flat = Battleship(size=8, flat_actions=True)
    players = [(env, make_player(env, "memoryless")) for env in (EASY, flat)]
    two, one = (play(env, player, jax.random.key(3), 8) for env, player in players)
    np.testing.assert_array_equal(two.action @ np.array([8, 1]), one.action)
    np.testing.assert_array_equal(two.reward, one.reward)


@pytest.mark.by_default("memoryless-0.1")
@pytest.mark.parametrize(("kind", "at_least"), [("memoryless", 0.1), ("reference", 0.55)])
def test_what_players_earn(kind, at_least):
    returns = play(EASY, make_player(EASY, kind), jax.random.key(4), 200).returns
    assert at_least < returns.mean() < 1


def test_chances_of_a_ship_against_all_boards():
    """Two ships on a small board. What the reference player believes is near the truth, and the
    cell it shoots at is nearly the best."""
    size, ships = 5, (2, 3)
    law = law_of_boards(size, ships)
    layouts = np.zeros((len(law), size**2), bool)
    for row, board in enumerate(law):
        layouts[row, sorted(board)] = True
    weights = np.array(list(law.values()))
    believe = jax.jit(lambda hits, misses: chance_of_ship(hits, misses, ships))
    rng = np.random.default_rng(0)
    errors, losses = [], []
    for _ in range(100):
        board = layouts[rng.choice(len(law), p=weights)]
        shot = np.isin(np.arange(size**2), rng.permutation(size**2)[: rng.integers(16)])
        agree = weights * (layouts[:, shot] == board[shot]).all(1)
        truth = (agree @ layouts / agree.sum())[~shot]
        hits, misses = ((shot & cells).reshape(size, size) for cells in (board, ~board))
        belief = np.asarray(believe(hits, misses)).reshape(-1)[~shot]
        errors.append(abs(belief - truth).mean())
        losses.append(truth.max() - truth[belief.argmax()])
    assert np.mean(errors) < 0.04, np.mean(errors)
    assert np.mean(losses) < 0.02, np.mean(losses)
