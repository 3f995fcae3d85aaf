"""The mazes have the law of the reference's generator: two-sample tests at a fixed seed."""

import random

import jax
import numpy as np
import pytest
from mazelib.generate.HuntAndKill import HuntAndKill
from popgym.envs import LabyrinthEscape
from scipy import stats

from popjax.envs import maze
from tests.support.laws import SMALLEST_P, check_counts

pytestmark = pytest.mark.filterwarnings("ignore:Maze environments:DeprecationWarning")

OURS, THEIRS = 6000, 2000
CELLS = [5, pytest.param(7, marks=pytest.mark.slow), pytest.param(9, marks=pytest.mark.slow)]


def ours(cells, num_hunts, num_mazes=OURS):
    """Grids `[N, side, side]`, 1 where there is a wall, starts and goals `[N, 2]`."""
    keys = jax.random.split(jax.random.key(0), num_mazes)
    draw = jax.jit(jax.vmap(lambda key: maze.generate(key, cells, num_hunts)))
    walls, starts, goals = jax.device_get(draw(keys))
    grids = (walls[:, :, None] >> np.arange(2 * cells + 1)) & 1
    return grids.astype(np.int8), starts, goals


def theirs(cells):
    reference = LabyrinthEscape(maze_dims=(2 * cells, 2 * cells))
    reference.reset(seed=0)
    grids, starts, goals = [], [], []
    for _ in range(THEIRS):
        reference.reset()
        grids.append(reference.maze.grid.copy())
        starts.append(reference.maze.start)
        goals.append(reference.maze.end)
        grids[-1][starts[-1]] = grids[-1][goals[-1]] = 1
    return np.array(grids), np.array(starts), np.array(goals)


def degrees(grids):
    """How many ways lead on from each cell `[N, cells, cells]`."""
    is_free = 1 - grids
    cell = (slice(None), slice(1, None, 2), slice(1, None, 2))
    beside = sum(np.roll(is_free, by, axis) for axis in (1, 2) for by in (1, -1))
    return beside[cell] * is_free[cell]


def straights(grids):
    """How many corridor cells go straight on, `[N]`."""
    is_free = 1 - grids
    opposite = [np.roll(is_free, 1, a) * np.roll(is_free, -1, a) for a in (1, 2)]
    straight = (opposite[0] | opposite[1])[:, 1::2, 1::2]
    return (straight * (degrees(grids) == 2)).sum(axis=(1, 2))


def solution_lengths(grids, starts, goals):
    """Steps from start to goal, -1 where the goal is cut off: all mazes are flooded at once."""
    every = np.arange(len(grids))
    is_free = grids == 0
    is_free[every, starts[:, 0], starts[:, 1]] = is_free[every, goals[:, 0], goals[:, 1]] = True
    flood = np.zeros_like(is_free)
    flood[every, starts[:, 0], starts[:, 1]] = True
    length = np.full(len(grids), -1)
    for step in range(1, is_free[0].size):
        wider = flood.copy()
        wider[:, 1:] |= flood[:, :-1]
        wider[:, :-1] |= flood[:, 1:]
        wider[:, :, 1:] |= flood[:, :, :-1]
        wider[:, :, :-1] |= flood[:, :, 1:]
        wider &= is_free
        arrived = wider[every, goals[:, 0], goals[:, 1]] & (length < 0)
        length[arrived] = step
        if (wider == flood).all():
            break
        flood = wider
    return length


def check_same_law(a, b, what):
    """Chi-square test of two samples of integers; neighbouring rare values are taken together."""
    values, index = np.unique(np.concatenate([a, b]), return_inverse=True)
    index = index.reshape(-1)
    counts = np.array(
        [np.bincount(part, minlength=len(values)) for part in (index[: len(a)], index[len(a) :])]
    )
    merged, total = [], np.zeros(2, int)
    for column in counts.T:
        total = total + column
        if total.sum() >= 40:
            merged.append(total)
            total = np.zeros(2, int)
    merged[-1] = merged[-1] + total
    if len(merged) > 1:
        p = stats.chi2_contingency(np.array(merged).T).pvalue
        assert p > SMALLEST_P, f"{what}: p = {p}"


def place(starts, side):
    """A number for each entrance."""
    return starts[:, 0] * side + starts[:, 1]


@pytest.mark.parametrize("cells", CELLS)
def test_mazes_have_the_law_of_the_reference(cells):
    side = 2 * cells + 1
    (grids, starts, goals), (grids_, starts_, goals_) = ours(cells, side**2), theirs(cells)
    free, free_ = (g.reshape(len(g), -1) == 0 for g in (grids, grids_))
    frequency = np.array([free.sum(axis=0), free_.sum(axis=0)])
    edges = (np.indices((side, side)).sum(axis=0) % 2 == 1).reshape(-1)
    interior = np.zeros((side, side), bool)
    interior[1:-1, 1:-1] = True
    edges &= interior.reshape(-1)
    assert (frequency[:, ~interior.reshape(-1)] == 0).all()
    assert edges.sum() == 2 * cells * (cells - 1)
    for edge in np.flatnonzero(edges):
        table = np.stack([frequency[:, edge], [OURS, THEIRS] - frequency[:, edge]])
        p = stats.chi2_contingency(table).pvalue * edges.sum()  # Bonferroni
        assert p > SMALLEST_P, f"the passage at {divmod(edge, side)}: {table}"
    for ways in (1, 2, 3, 4):  # 1: dead ends
        check_same_law(
            *((degrees(g) == ways).sum(axis=(1, 2)) for g in (grids, grids_)), f"{ways} ways"
        )
    check_same_law(straights(grids), straights(grids_), "straight corridors")
    check_same_law(free.sum(axis=1), free_.sum(axis=1), "free squares")
    check_same_law(place(starts, side), place(starts_, side), "start")
    check_same_law(place(goals, side), place(goals_, side), "goal")
    check_same_law(
        solution_lengths(grids, starts, goals),
        solution_lengths(grids_, starts_, goals_),
        "solution lengths",
    )


@pytest.mark.by_default("12")
@pytest.mark.parametrize("num_hunts", [0, 12, 40])
def test_a_hunt_that_is_cut_short_leaves_the_same_cells_unvisited(num_hunts):
    """In mazes of full size that is too rare to compare, so both hunt less here."""
    cells, side = 5, 11

    class Brief(HuntAndKill):
        def _hunt_random(self, grid, count):
            return super()._hunt_random(grid, count + side**2 - num_hunts)

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 (the reference draws from NumPy's global generator)
    generator = Brief(cells, cells)
    grids_ = np.array([generator.generate() for _ in range(THEIRS)])
    grids, _, _ = ours(cells, num_hunts)
    visited, visited_ = (1 - g[:, 1::2, 1::2] for g in (grids, grids_))
    check_same_law(visited.sum(axis=(1, 2)), visited_.sum(axis=(1, 2)), "cells visited")
    check_same_law(visited[:, 0, 0], visited_[:, 0, 0], "the corner")
    check_same_law(visited[:, 2, 2], visited_[:, 2, 2], "the middle")
    assert num_hunts == 40 or visited.sum() < 0.99 * visited.size


@pytest.mark.by_default("7", "5", "3")
@pytest.mark.parametrize("cells", [3, 5, 7, 9, 15])
def test_a_finished_maze_is_a_tree(cells):
    grids, starts, goals = ours(cells, 100 * cells**4, num_mazes=64)
    is_free = grids == 0
    assert is_free[:, 1::2, 1::2].all()
    assert (is_free.sum(axis=(1, 2)) == 2 * cells**2 - 1).all()
    assert not is_free[:, ::2, ::2].any()
    assert (solution_lengths(grids, starts, goals) >= 2 * cells).all()


def test_entrances_lie_in_opposite_walls_beside_any_cell():
    cells, side = 5, 11
    _, starts, goals = ours(cells, 0, num_mazes=20_000)
    pairs, counts = np.unique(np.concatenate([starts, goals], axis=1), axis=0, return_counts=True)
    assert len(pairs) == 4 * cells**2
    across = np.abs(pairs[:, :2] - pairs[:, 2:]) == side - 1
    assert across.any(axis=1).all()
    check_counts(counts, np.full(len(counts), 20_000 / len(counts)), "entrances")
