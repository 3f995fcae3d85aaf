"""Scenes of the labyrinths: the view is bright, what was seen before dim, the rest dark."""

from __future__ import annotations

import numpy as np

from popjax.core import TimeStep
from popjax.envs.labyrinth import Labyrinth
from popjax.render import look
from popjax.render.scene import Scene
from popjax.render.shapes import Circle, Rect, Shape, Text

FOG = "#6f87a3"
WALL, WALL_DIM = "#3d4454", "#8b8f9a"
FLOOR, FLOOR_DIM = "#fffefb", "#e3ddd0"
TRAIL, TRAIL_DIM = "#f7e3b5", "#dccba3"


def labyrinth(env: Labyrinth, state, timestep: TimeStep) -> Scene:
    side = env.side
    square = 3 if side <= 12 else 2
    grid = (np.asarray(state.walls)[:, None] >> np.arange(side)) & 1 == 1
    explored = (np.asarray(state.explored)[:, None] >> np.arange(side)) & 1 == 1
    row, column = (int(v) for v in state.position)
    now = _view(row, column, side)
    before = np.zeros((side, side), bool)
    for place in np.argwhere(explored):
        before |= _view(*place, side)
    top = look.HEAD + 1 + max(0, (look.BODY - square * side) // 2)
    left = 4
    body: list[Shape] = []

    def at(i, j):
        return left + square * j, top + square * i

    body.append(Rect(*at(0, 0), square * side, square * side, FOG))
    for i, j in np.ndindex(side, side):
        place = (*at(i, j), square + 0.04, square + 0.04)
        if now[i, j]:
            floor = TRAIL if explored[i, j] else FLOOR
            body.append(Rect(*place, WALL if grid[i, j] else floor))
        elif before[i, j]:
            floor = TRAIL_DIM if explored[i, j] else FLOOR_DIM
            body.append(Rect(*place, WALL_DIM if grid[i, j] else floor))
        elif not grid[i, j]:
            body.append(Rect(*place, look.SECRET_PALE, hidden=True))
    ends = [(state.start, look.BLUE, "start")]
    if env.has_exit:
        ends.append((state.goal, look.GREEN, "goal"))
    for end, colour, name in ends:
        i, j = (int(v) for v in end)
        x, y = at(i, j)
        hidden = not before[i, j]
        body.append(
            Rect(
                x + 0.15 * square,
                y + 0.15 * square,
                0.7 * square,
                0.7 * square,
                colour,
                round=0.15 * square,
                title=name,
                hidden=hidden,
            )
        )
    rows, columns = np.argwhere(now).min(axis=0), np.argwhere(now).max(axis=0)
    x, y = at(*rows)
    wide, high = square * (columns[1] - rows[1] + 1), square * (columns[0] - rows[0] + 1)
    body.append(Rect(x, y, wide, high, "", look.GOLD, 0.45, 0.3, title="the view"))
    x, y = at(row, column)
    body.append(Circle(x + square / 2, y + square / 2, 0.36 * square, look.RED, title="agent"))
    body += _legend(env, state, left + square * side + 3, top, grid, explored)
    words = "find the way out" if env.has_exit else "walk on every free square"
    if timestep.terminated:
        words = "out!" if env.has_exit else "every free square was visited"
    elif timestep.truncated:
        words = "no steps are left"
    width = max(look.WIDTH, left + square * side + 19)
    return look.frame(
        env, timestep, int(state.steps), words, body, width, max(look.BODY, square * side + 1)
    )


def _view(row: int, column: int, side: int) -> np.ndarray:
    """The squares that the agent sees from there: what the cut at the border leaves of 3 x 3."""
    seen = np.zeros((side, side), bool)
    seen[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2] = True
    return seen


def _legend(env, state, x: float, y: float, grid, explored) -> list[Shape]:
    entries = [(look.RED, "agent"), (look.GOLD, "its view"), (look.BLUE, "start")]
    if env.has_exit:
        entries.append((look.GREEN, "exit"))
    shapes: list[Shape] = []
    for i, (colour, name) in enumerate(entries):
        shapes.append(Rect(x, y + 1 + 3 * i, 1.6, 1.6, colour, round=0.3))
        shapes.append(Text(x + 3, y + 1.8 + 3 * i, name, look.INK, 1.8, "start"))
    visited, free = int(explored.sum()), int((~grid).sum())
    y += 3 * len(entries) + 5
    shapes += [
        Text(x, y, str(visited), look.INK, 2.4, "start", bold=True),
        Text(x, y + 2.8, "squares visited", look.MUTED, 1.7, "start"),
        Text(x, y + 5.2, f"of {free} free", look.SECRET, 1.7, "start", hidden=True),
    ]
    return shapes
