"""The rules of Concentration, as a player would state them."""

from functools import cache

import jax
import numpy as np
import pytest

from popjax.envs.concentration import LEVELS, NONE
from popjax.players import make_player, play
from tests.support.boards import begin, check_same_means, follow, initial_states
from tests.support.reference import check_replay, reference_env, stack_deck

EASY, HARD = LEVELS["Easy"], LEVELS["Hard"]
N, T = EASY.num_cards, EASY.max_steps


def inject(reference, ours, n):
    reference.reset()
    layout = ours.state.layout[0, n]
    stack_deck(reference.deck, layout[::-1], reference.deck_idx_type)
    reference.state = reference.deck_idx_type[reference.deck.idx].copy()
    np.testing.assert_array_equal(reference.state, layout)
    return reference.get_obs()


@pytest.mark.by_default("short-Easy-reference")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = LEVELS[level]
    check_replay(env, f"Concentration{level}", make_player(env, kind), inject, to_reference=int)


@pytest.mark.parametrize("level", LEVELS)
def test_layouts_have_the_law_of_the_reference(level):
    env, reference = LEVELS[level], reference_env(f"Concentration{level}")
    ours, theirs = initial_states(env, 4000).layout, []
    for seed in range(2000):
        reference.reset(seed=seed)
        theirs.append(reference.state)
    theirs = np.array(theirs)
    kinds = np.arange(env.num_kinds)[:, None]
    check_same_means(ours[:, None] == kinds, theirs[:, None] == kinds, "kind at each place")
    for lag in (1, 2, env.num_cards // 2):
        same = [layout[:, lag:] == layout[:, :-lag] for layout in (ours, theirs)]
        check_same_means(*same, f"same kind {lag} places on")
    for kind in kinds[:, 0]:
        assert ((ours == kind).sum(1) == env.num_cards // env.num_kinds).all()


def places(layout, same):
    """Two places whose cards are (not) of the same kind, the first being 0."""
    other = np.flatnonzero((layout == layout[0]) == same)
    return 0, int(other[other > 0][0])


def test_a_pair_stays_up_and_earns_its_share():
    state = begin(EASY)
    i, j = places(np.asarray(state.layout), same=True)
    state, steps = follow(EASY, state, [i, j])
    np.testing.assert_allclose(steps.reward, [0, 2 / N])
    up = np.isin(np.arange(N), [i, j])
    np.testing.assert_array_equal(steps.obs[1], np.where(up, state.layout, 2))
    assert np.flatnonzero(state.matched).tolist() == [i, j]


def test_the_board_is_shown_after_the_flip_and_before_the_turn_ends():
    """Both cards of a failed turn are seen, though they are already down again."""
    state = begin(EASY)
    i, j = places(np.asarray(state.layout), same=False)
    other = 1 + max(i, j)
    state, steps = follow(EASY, state, [i, j, other])
    for obs, up in zip(steps.obs, ([i], [i, j], [other]), strict=True):
        np.testing.assert_array_equal(
            obs, np.where(np.isin(np.arange(N), up), state.layout, EASY.num_kinds)
        )
    np.testing.assert_allclose(steps.reward, [0, -2 / T, 0], rtol=1e-6)
    assert not state.matched.any()


def test_the_same_card_twice_is_no_pair():
    state, steps = follow(EASY, begin(EASY), [7, 7])
    np.testing.assert_allclose(steps.reward, [0, -2 / T], rtol=1e-6)
    assert not state.matched.any()
    assert EASY.in_play(state) == NONE


def test_turning_a_found_card_ends_the_turn_and_costs_every_card_in_it():
    state = begin(EASY)
    i, j = places(np.asarray(state.layout), same=True)
    k = 1 + max(i, j)
    state, steps = follow(EASY, state, [i, j, i, k, j, k, k])
    # found card first: one card; found card second: two; each time the next card begins a turn
    np.testing.assert_allclose(steps.reward, [0, 2 / N, -1 / T, 0, -2 / T, 0, -2 / T], rtol=1e-6)
    assert steps.obs[4][k] == state.layout[k]


def test_the_reference_gives_the_places_of_the_cards_turned_last():
    state, _ = follow(EASY, begin(EASY), [4, 9])
    assert EASY.markov_state(state)[-2:].tolist() == [4, 9]
    state, _ = follow(EASY, begin(EASY), [4, 9, 5])
    assert EASY.markov_state(state)[-2:].tolist() == [5, EASY.num_kinds]


@pytest.mark.parametrize("level", LEVELS)
def test_knowing_all_cards_earns_one(level):
    env = LEVELS[level]
    state = begin(env)
    order = np.argsort(np.asarray(state.layout), kind="stable")
    _, steps = follow(env, state, order)
    np.testing.assert_allclose(steps.reward.sum(), 1, atol=1e-5)
    assert steps.terminated.tolist() == [False] * (env.num_cards - 1) + [True]
    assert not steps.truncated.any()


@pytest.mark.parametrize("level", LEVELS)
def test_failing_all_the_time_earns_minus_one(level):
    env = LEVELS[level]
    _, steps = follow(env, begin(env), np.zeros(env.max_steps))
    np.testing.assert_allclose(steps.reward.sum(), env.return_bounds[0], atol=1e-5)
    assert steps.truncated.tolist() == [False] * (env.max_steps - 1) + [True]


def test_the_episode_is_twice_as_long_as_the_deck():
    """`ceil(2n - n / (2n - 1))` in the reference, which is 2n."""
    for env in LEVELS.values():
        n = env.num_cards
        assert env.max_steps == np.ceil(2 * n - n / (2 * n - 1)) == 2 * n


def test_the_last_pair_at_the_last_step_sets_both_flags():
    state = begin(EASY)
    order = np.argsort(np.asarray(state.layout), kind="stable")
    wasted = np.repeat(order[-1], T - N)
    _, steps = follow(EASY, state, np.concatenate([wasted, order]))
    assert steps.terminated[-1] and steps.truncated[-1]
    assert not steps.terminated[:-1].any() and not steps.truncated[:-1].any()


def fewest_failures(kinds, each):
    """The expected failures of the best player with perfect memory, by dynamic programming.

    What matters of a kind is how many of its cards are known and unknown; known pairs can be
    taken at any time for nothing.
    """

    @cache
    def best(state):  # the (known, unknown) of each kind that has unknown cards, sorted
        unknown = sum(u for _, u in state)
        if not unknown:
            return 0.0
        value = 0.0
        for k, u in set(state):
            others = list(state)
            others.remove((k, u))
            options = []
            if k:
                options.append(best(pack(*others, (k - 1, u - 1))))
            if unknown > 1:
                luck = (u - 1) * best(pack(*others, (k, u - 2))) if u > 1 else 0.0
                for k2, u2 in set(others):
                    third = list(others)
                    third.remove((k2, u2))
                    failed = pack(*third, (k + 1, u - 1), (k2 + 1, u2 - 1))
                    luck += others.count((k2, u2)) * u2 * (1 + best(failed))
                options.append(luck / (unknown - 1))
            value += state.count((k, u)) * u / unknown * min(options)
        return value

    def pack(*state):
        return tuple(sorted((k, u) for k, u in state if u))

    return best(pack(*[(0, each)] * kinds))


@pytest.mark.slow  # by default: the stored scores
@pytest.mark.parametrize(("level", "lost"), [("Easy", 2e-5), ("Hard", 0.0)])
def test_the_reference_player_is_as_good_as_can_be(level, lost):
    """Nobody fails less on average, but for a trifle at Easy. Its own failures are counted on many
    episodes."""
    env = LEVELS[level]
    best = 1 - fewest_failures(env.num_kinds, env.num_cards // env.num_kinds) / env.num_cards
    returns = np.asarray(play(env, make_player(env), jax.random.key(5), 4000).returns)
    error = returns.std() / np.sqrt(len(returns))
    assert abs(returns.mean() - best) < 4 * error + lost
    assert error < 1e-3


@pytest.mark.slow
def test_the_previous_action_can_serve_as_memory():
    """With two kinds of card a player that sees only the board and its own last action always
    ends the game, and fails at most once for each pair it finds."""
    for env in (EASY, LEVELS["Medium"]):
        player = make_player(env, "memoryless")
        assert player.sees == "obs"
        episodes = play(env, player, jax.random.key(6), 200)
        assert episodes.terminated.any(0).all()
        failures = (episodes.reward < 0).sum(0)
        found = (episodes.reward > 0).sum(0)
        assert (found == env.num_cards // 2).all() and (failures <= found).all()
        assert episodes.returns.mean() > 0.7
