"""The predictors that bound the floors of mazes, poles and pendulums."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from popjax.bins import Bins
from popjax.floors import control, log_probs_along, surprise
from popjax.floors.labyrinth import UNFINISHED, code_length, code_lengths, squares_seen
from popjax.players import make_player, play

MAZE = popjax.ENVS["LabyrinthEscapeEasy"]
CONTROL = [name for name in popjax.ENVS if ("CartPole" in name or "Pendulum" in name)]
CONTROL_EASY = [name for name in CONTROL if name.endswith("Easy")]


def maze_of(size):
    """A grid with every square between two cells walled up."""
    walls = np.ones((size + 1, size + 1), bool)
    walls[1::2, 1::2] = False
    return walls


def test_the_mazes_predictor_is_a_law():
    """Over all that a set of squares could show, its chances sum to one."""
    cells, news = MAZE.size // 2, np.zeros((11, 11), bool)
    news[3, 3:6] = news[4, 3] = news[10, 1:4] = True  # two cells, two ways, and a bit of the wall
    total = 0.0
    nothing, between, inside = np.zeros_like(news), [(3, 4), (4, 3)], [(3, 3), (3, 5)]
    for pattern in itertools.product([False, True], repeat=4):
        walls = maze_of(10)
        for square, wall in zip(between + inside, pattern, strict=True):
            walls[square] = wall
        for place in range(cells):
            goal = (10, 2 * place + 1)
            chance = np.exp(-code_length(MAZE, walls, (0, 5), goal, nothing, news))
            seen_alike = 1 if news[goal] else 1 / (cells - 2)  # the goals out of sight look alike
            total += cells * chance * seen_alike  # and so do the places of the start
    assert total == pytest.approx(1)


def test_who_sees_nothing_new_is_not_surprised():
    seen = squares_seen(MAZE, np.array([[0, 5]]))
    assert seen.sum() == 6  # two rows of three, and a padded one
    assert code_length(MAZE, maze_of(10), (0, 5), (10, 1), seen, seen) == 0


def test_squares_in_view_are_those_that_are_shown():
    """Every square of every view, put where it belongs, is what lies there."""
    episodes = play(MAZE, make_player(MAZE, "random"), jax.random.key(0), 4, keep_states=True)
    walls = np.asarray(episodes.state.walls)[0]
    for n, t in itertools.product(range(4), range(0, 400, 7)):
        if not episodes.valid[t, n]:
            continue
        grid = (walls[n][:, None] >> np.arange(11, dtype=np.uint32)) & 1
        position = np.asarray(episodes.next_state.position)[t, n]
        seen = squares_seen(MAZE, position[None])
        view = np.asarray(episodes.next_obs)[t, n, :9].reshape(3, 3) == 1
        rows, cols = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        shown = view[: len(rows), : len(cols)]
        np.testing.assert_array_equal(shown, grid[np.ix_(rows, cols)] == 1)
        assert view[len(rows) :].all() and view[:, len(cols) :].all()


@pytest.mark.slow  # by default: the predictor is a law
@pytest.mark.parametrize("family", ["LabyrinthEscape", "LabyrinthExplore"])
def test_no_maze_surprises_more_than_its_squares_can(family):
    env = popjax.FAMILIES[family]["Easy"]
    episodes = play(env, make_player(env, "reference"), jax.random.key(1), 32, keep_states=True)
    nats, cells = code_lengths(env, episodes), 5
    share = (cells**2 - 1) / (2 * cells * (cells - 1))
    most = 2 * math.log(cells) - 2 * cells * (cells - 1) * math.log(1 - share)
    assert (nats > math.log(cells)).all() and (nats < most).all()
    assert nats.mean() < 2 * math.log(cells) + 2 * cells * (cells - 1) * math.log(2)


def test_walled_up_cells_are_rare():
    """Rarer than the predictor takes them to be, so it pays little for them."""
    env = popjax.ENVS["LabyrinthEscapeHard"]
    keys = jax.random.split(jax.random.key(0), 2000)
    walls = np.asarray(jax.jit(jax.vmap(env.reset))(keys)[0].walls)
    grids = (walls[:, :, None] >> np.arange(19, dtype=np.uint32)) & 1
    assert grids[:, 1::2, 1::2].mean() < UNFINISHED


@pytest.mark.by_default("PositionOnlyCartPoleEasy")
@pytest.mark.parametrize("name", CONTROL_EASY)
def test_the_filter_is_a_law_and_beats_ignorance(name):
    env = popjax.ENVS[name]
    law = control.law(env, num_bins=16, num_particles=128)
    episodes = play(env, make_player(env, "random"), jax.random.key(0), 4)
    episodes = jax.tree.map(lambda x: x[:20], episodes)
    log_probs, tokens = log_probs_along(law, episodes)
    np.testing.assert_allclose(np.exp(log_probs).sum(-1), 1, atol=1e-4)
    assert (np.asarray(tokens) >= 0).all() and (np.asarray(tokens) < law.num_tokens).all()
    nats = surprise(law, episodes).sum() / np.asarray(episodes.valid).sum()
    assert nats < (0.75 if env.sigma else 0.35) * math.log(law.num_tokens)


@pytest.mark.slow
def test_the_filter_reads_tokens_alone():
    """What moves inside its bin changes nothing."""
    env = popjax.ENVS["NoisyPositionOnlyPendulumEasy"]
    law = control.law(env, num_bins=16, num_particles=64)
    episodes = play(env, make_player(env, "random"), jax.random.key(1), 2)
    middle = lambda x: (jnp.clip(jnp.floor((x + 1) * 8), 0, 15) + 0.5) / 8 - 1  # noqa: E731
    blunt = episodes.replace(obs=middle(episodes.obs), next_obs=middle(episodes.next_obs))
    np.testing.assert_array_equal(surprise(law, episodes), surprise(law, blunt))


def test_bins():
    pole, velocity = (
        popjax.ENVS["PositionOnlyCartPoleEasy"],
        popjax.ENVS["VelocityOnlyCartPoleEasy"],
    )
    for env, obs, bins in [
        (pole, [0.0, 0.0], [32, 32]),
        (pole, [-4.8, 0.41], [0, 63]),
        (velocity, [-300.0, 300.0], [0, 63]),
        (velocity, [0.003, -0.003], [32, 31]),
        (velocity, [0.005, 1.0], [33, 46]),
    ]:
        assert Bins(env).index(jnp.array(obs)).tolist() == bins
