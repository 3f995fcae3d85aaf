"""A bound for mazes: what a predictor pays that knows how mazes are built, and nothing finer.

The maze generator has no tractable posterior, so there is no exact floor. This predictor takes each
square between two cells for open with the share that is open in a finished maze, one by one; cells
are open and pillars and the outer wall closed but for start and goal. It does not know where along
its wall the start lies, so it mixes over all such places, which costs at most the logarithm of
their number, and the place of the goal in the opposite wall likewise. Its loss is an upper bound of
the floor: a model that knows more of how mazes are dug goes below it. Over an episode it depends
only on the squares that were seen, so it is computed from these.
"""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Bool, Float

from popjax.envs.labyrinth import Labyrinth

BOUND = "every square by itself"
UNFINISHED = 1e-3  # the chance it gives to a cell that was left walled up: rarer, but not ruled out


def squares_seen(env: Labyrinth, positions) -> Bool[np.ndarray, "side side"]:
    """Which squares are in view from any of the `positions[M, 2]`. The view begins a square before
    the agent, and its third row or column is padding at the first and the last of the grid."""
    row, col = np.unique(positions, axis=0).T
    seen = np.zeros((env.side, env.side), bool)
    for down in range(3):
        for right in range(3):
            rows, cols = np.maximum(row - 1, 0) + down, np.maximum(col - 1, 0) + right
            padded = ((down == 2) & ((row == 0) | (row == env.size))) | (
                (right == 2) & ((col == 0) | (col == env.size))
            )
            seen[rows[~padded], cols[~padded]] = True
    return seen


def code_length(env: Labyrinth, walls, start, goal, first_seen, seen) -> float:
    """Nats of the squares in `seen` and not in `first_seen`; both `[side, side]`, as `walls`."""
    cells = env.size // 2
    news = seen & ~first_seen
    if not news.any():
        return 0.0
    row, col = np.indices(walls.shape)
    is_cell = (row % 2 == 1) & (col % 2 == 1)
    inside = (row > 0) & (row < env.size) & (col > 0) & (col < env.size)
    between = inside & ((row + col) % 2 == 1)
    share = (cells**2 - 1) / (2 * cells * (cells - 1))
    nats = math.log(cells)
    nats -= np.sum(news & between & ~walls) * math.log(share)
    nats -= np.sum(news & between & walls) * math.log(1 - share)
    nats -= np.sum(news & is_cell & ~walls) * math.log(1 - UNFINISHED)
    nats -= np.sum(news & is_cell & walls) * math.log(UNFINISHED)
    if goal[0] < 0:
        return nats
    if seen[tuple(goal)]:
        return nats + math.log(cells)
    side = row == goal[0] if goal[0] in (0, env.size) else col == goal[1]
    places = side & ~inside & ((row + col) % 2 == 1)
    return nats - math.log(1 - np.sum(seen & places) / cells)


def code_lengths(env: Labyrinth, episodes) -> Float[np.ndarray, " N"]:
    """`[N]` nats of each episode's views for this predictor; `episodes` were played with states."""
    state, after = episodes.state, episodes.next_state
    valid = np.asarray(episodes.valid)
    walls = np.asarray(state.walls)[0]
    columns = np.arange(env.side, dtype=np.uint32)
    place, start, goal = np.asarray(after.position), np.asarray(state.start), np.asarray(state.goal)
    nats = []
    for n in range(valid.shape[1]):
        grid = (walls[n][:, None] >> columns) & 1 == 1
        first_seen = squares_seen(env, start[:1, n])
        seen = first_seen | squares_seen(env, place[valid[:, n], n])
        nats.append(code_length(env, grid, start[0, n], goal[0, n], first_seen, seen))
    return np.array(nats)
