"""The rules of LabyrinthEscape and LabyrinthExplore, as a player would state them."""

import dataclasses
import functools
from types import SimpleNamespace
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from popjax.envs.labyrinth import (
    DOWN,
    ESCAPE,
    EXPLORE,
    FREE,
    GOAL,
    LEFT,
    NONE,
    RIGHT,
    START,
    UP,
    WALL,
    LabyrinthEscape,
    LabyrinthExplore,
    State,
)
from popjax.players import make_player, play, random_player
from popjax.players.labyrinth import shortest_path
from tests.support.reference import NUM_EPISODES, check_replay

pytestmark = pytest.mark.filterwarnings("ignore:Maze environments:DeprecationWarning")

LEVELS = ("Easy", "Medium", "Hard")
FAMILIES = {"Escape": ESCAPE, "Explore": EXPLORE}
IDS = [(family, level) for family in FAMILIES for level in LEVELS]
every_id = pytest.mark.parametrize("family, level", IDS)


@functools.cache
def player_of(family, level, kind):
    """One object each, so that its play is compiled once."""
    env = FAMILIES[family][level]
    return shortest_path(env) if kind == "map" else make_player(env, kind)


@functools.cache
def episodes_of(family, level, kind):
    """Equal keys give equal mazes, so players can be compared maze by maze."""
    env, player = FAMILIES[family][level], player_of(family, level, kind)
    episodes = play(env, player, jax.random.key(0), NUM_EPISODES, keep_states=kind == "reference")
    return jax.device_get(episodes)


def grid_of(walls, side):
    return (np.asarray(walls)[:, None] >> np.arange(side)) & 1


def inject(env):
    """Has the reference begin in our maze, by its own `reset`; and with our limit."""

    def put(reference, ours, n):
        begun = jax.tree.map(lambda leaf: leaf[0, n], ours.state)
        maze = SimpleNamespace(
            grid=grid_of(begun.walls, env.side).astype(np.int8),
            start=tuple(begun.start),
            end=tuple(begun.goal),
            generate=lambda: None,
            generate_entrances=lambda start_outer: None,
        )
        maze.grid[maze.start] = WALL  # the reference cuts the entrances itself
        if isinstance(env, LabyrinthEscape):
            maze.grid[maze.end] = WALL
        reference.max_episode_length = env.limit
        reference.neg_reward_scale = -1 / env.limit
        with mock.patch("popgym.core.maze.Maze", lambda: maze):
            obs, _ = reference.reset()
        return obs

    return put


@pytest.mark.by_default("short-Escape-Easy")
@every_id
def test_random_play_equals_the_reference(family, level):
    """200 episodes with a limit of 151, since the reference is slow."""
    env = dataclasses.replace(FAMILIES[family][level], limit=151)
    check_replay(env, f"Labyrinth{family}{level}", random_player(env), inject(env))


@pytest.mark.slow
@every_id
def test_full_length_random_play_equals_the_reference(family, level):
    env, player = FAMILIES[family][level], player_of(family, level, "random")
    check_replay(env, f"Labyrinth{family}{level}", player, inject(env), 10, seed=1)
    episodes = play(env, player, jax.random.key(1), 10, keep_states=True)
    assert episodes.truncated.any(axis=0).sum() >= 5
    assert (episodes.lengths[episodes.truncated.any(axis=0)] == 1023).all()


@pytest.mark.by_default("short-Explore-Easy")
@every_id
def test_a_good_player_equals_the_reference(family, level):
    env, player = FAMILIES[family][level], player_of(family, level, "reference")
    check_replay(env, f"Labyrinth{family}{level}", player, inject(env))


@pytest.mark.slow  # by default: in Escape nobody beats the map
@every_id
def test_the_wall_follower_gets_everywhere_without_memory(family, level):
    memoryless, searcher = (
        episodes_of(family, level, kind) for kind in ("memoryless", "reference")
    )
    assert memoryless.terminated.any(axis=0).all()
    assert memoryless.returns.mean() < searcher.returns.mean()


@pytest.mark.slow  # by default: play equals the reference
@pytest.mark.parametrize("level", ["Easy", "Hard"])
def test_nobody_beats_the_shortest_path(level):
    best = episodes_of("Escape", level, "map").returns
    for kind in ("memoryless", "reference"):
        others = episodes_of("Escape", level, kind).returns
        assert (best >= others - 1e-6).all() and best.mean() > others.mean()


@every_id
def test_the_reference_player_scores_as_well_as_the_published_one(family, level):
    """Means of the published frontier search; ours leans toward the wall with the exit."""
    published = {"Escape": (0.964, 0.919, 0.864), "Explore": (0.970, 0.925, 0.869)}
    returns = episodes_of(family, level, "reference").returns
    error = returns.std() / NUM_EPISODES**0.5
    assert returns.mean() > published[family][LEVELS.index(level)] - 3 * error


OPEN_ROOM = """
#########
#.......#
#.......#
#.......#
#.......#
#.......#
#########
#.......#
#########
"""


def state_in(start, position=None, goal=(6, 8), steps=0):
    """A hand-made 9 x 9 labyrinth, which need not be a maze."""
    rows = OPEN_ROOM.split()
    walls = np.array([[square == "#" for square in row] for row in rows])
    walls[start] = False
    walls[goal] = False
    words = np.sum(walls << np.arange(9), axis=1).astype(np.uint32)
    explored = np.zeros(9, np.uint32)
    explored[start[0]] = 1 << start[1]
    return State(
        walls=jnp.array(words),
        explored=jnp.array(explored),
        position=jnp.array(position or start),
        start=jnp.array(start),
        goal=jnp.array(goal),
        steps=jnp.int32(steps),
    )


ROOM = LabyrinthEscape(size=8)
step = jax.jit(lambda state, action: ROOM.step(jax.random.key(0), state, action))
look = jax.jit(lambda state: ROOM._observe(state, jnp.int32(NONE))[:9].reshape(3, 3))


@pytest.mark.parametrize(
    "start, view",
    [
        ((0, 3), [[WALL, START, WALL], [FREE, FREE, FREE], [WALL, WALL, WALL]]),
        ((3, 0), [[WALL, FREE, WALL], [START, FREE, WALL], [WALL, FREE, WALL]]),
        ((8, 3), [[FREE, FREE, FREE], [WALL, START, WALL], [WALL, WALL, WALL]]),
        ((3, 8), [[FREE, WALL, WALL], [FREE, START, WALL], [FREE, WALL, WALL]]),
    ],
    ids=["north", "west", "south", "east"],
)
def test_the_view_is_cut_at_the_border_and_padded_at_its_end(start, view):
    """In the north and west the agent is not in the middle, and a row or column is lost."""
    np.testing.assert_array_equal(look(state_in(start)), view)


def test_one_square_from_the_border_the_view_is_whole():
    np.testing.assert_array_equal(
        look(state_in((0, 3), position=(1, 3))),
        [[WALL, START, WALL], [FREE, FREE, FREE], [FREE, FREE, FREE]],
    )
    np.testing.assert_array_equal(
        look(state_in((0, 3), position=(5, 7))),
        [[FREE, FREE, WALL], [FREE, FREE, WALL], [WALL, WALL, GOAL]],
    )


@pytest.mark.parametrize(
    "position, action, arrives",
    [
        ((3, 3), LEFT, (3, 2)),
        ((3, 3), RIGHT, (3, 4)),
        ((3, 3), UP, (2, 3)),
        ((3, 3), DOWN, (4, 3)),
        ((3, 1), LEFT, (3, 1)),  # a wall
        ((0, 3), UP, (0, 3)),  # the border
        ((0, 3), LEFT, (0, 3)),
        ((1, 3), UP, (0, 3)),  # back into the entrance
    ],
)
def test_a_step_leads_one_square_on_unless_a_wall_is_there(position, action, arrives):
    state, timestep = step(state_in((0, 3), position), action)
    assert tuple(state.position.tolist()) == arrives
    assert timestep.obs[9] == action
    np.testing.assert_allclose(timestep.reward, -1 / 1024)


def test_both_flags_when_the_last_step_escapes():
    _, timestep = step(state_in((0, 3), (6, 7), steps=1022), RIGHT)
    assert timestep.terminated and timestep.truncated
    np.testing.assert_allclose(timestep.reward, 1 - 1 / 1024)
    _, timestep = step(state_in((0, 3), (3, 3), steps=1022), RIGHT)
    assert timestep.truncated and not timestep.terminated
    _, timestep = step(state_in((0, 3), (3, 3), steps=1021), RIGHT)
    assert not timestep.last


@pytest.mark.parametrize("level", LEVELS)
def test_exploring_everything_pays_one_less_the_steps_back(level):
    episodes, side = episodes_of("Explore", level, "reference"), EXPLORE[level].side
    free = np.array([(grid_of(walls, side) == 0).sum() for walls in episodes.state.walls[0]]) - 1
    steps_back = episodes.lengths - free
    np.testing.assert_allclose(episodes.returns, 1 - steps_back / 1024, atol=1e-5)


def test_explore_has_no_exit():
    walls = jax.jit(EXPLORE["Easy"].reset)(jax.random.key(0))[0].walls
    grid = grid_of(walls, 11)
    border = np.concatenate([grid[0], grid[-1], grid[1:-1, 0], grid[1:-1, -1]])
    assert (border == 0).sum() == 1


@pytest.mark.by_default("32")
@pytest.mark.parametrize("size", [9, 4, 32])
def test_a_size_that_cannot_be_is_refused(size):
    with pytest.raises(ValueError, match="even and from 6 to 30"):
        LabyrinthExplore(size=size)
