"""Players of LabyrinthEscape and LabyrinthExplore."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Int, UInt32

from popjax.envs.labyrinth import (
    DOWN,
    FREE,
    GOAL,
    LEFT,
    NONE,
    RIGHT,
    START,
    UP,
    WALL,
    Labyrinth,
    LabyrinthEscape,
    square,
)
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player

Rows = UInt32[Array, " side"]  # a set of squares: a row of the grid each, a bit a column

WAYS = ((0, -1), (0, 1), (-1, 0), (1, 0))  # left, right, up, down


def memoryless(env: Labyrinth) -> Player:
    """Keeps its right hand on the wall. The last action is part of the observation and is the way
    it faces, since it never walks into a wall; so no memory is needed to walk all of a maze that
    has no loops. It takes the exit when it sees it, and never goes back to the start."""
    right_of = {LEFT: UP, UP: RIGHT, RIGHT: DOWN, DOWN: LEFT}
    choices = np.zeros((5, 4), np.int32)  # facing, in order: right, ahead, left, back
    for facing, right in right_of.items():
        choices[facing] = (right, facing, right_of[right_of[right]], right_of[right])

    def rule(obs):
        view, facing = obs[:9].reshape(3, 3), obs[9]
        at = jnp.stack([view[1, 0], view[1, 2], view[0, 1], view[2, 1]])
        is_open = (at == FREE) | (at == GOAL)
        order = jnp.sum(jnp.where((np.arange(5) == facing)[:, None], choices, 0), axis=0)
        walk = order[jnp.argmax(is_open[order])]
        toward = jnp.stack(
            [jnp.any(side == GOAL) for side in (view[:, 0], view[:, 2], view[0], view[2])]
        )
        walk = jnp.where(jnp.any(toward & is_open), jnp.argmax(toward & is_open), walk)
        return jnp.where(facing == NONE, _inward(view), walk).astype(jnp.int32)

    return memoryless_player("right hand on the wall", "bound", rule)


def _inward(view: Int[Array, "3 3"]) -> Int[Array, ""]:
    """From an entrance, the way into the maze, as shown by where the first view shows it."""
    return jnp.select(
        [view[0, 1] == START, view[1, 0] == START, view[0, 1] == FREE], [DOWN, RIGHT, UP], LEFT
    )


class Map(struct.PyTreeNode):
    """What a player has seen, on a torus of the maze's own size: it does not know where along the
    outer wall it began, and wherever that was, no two squares of the maze share a place. The start
    counts as a wall.

    known, free, visited, goal: `[side]` squares. position: `[2]` row and column, counted from the
    start. inward: `[]` the action that leads into the maze.
    """

    known: Rows
    free: Rows
    visited: Rows
    goal: Rows
    position: Int[Array, "2"]
    inward: Int[Array, ""]


def reference(env: Labyrinth) -> Player:
    """Draws a map and goes to a near square that is worth a visit.

    Escape: one with a neighbour it has not seen, until it sees the exit; a square nearer to the
    wall with the exit may be two steps farther for each row. Explore: one where it has not been; a
    square nearer to where it began may be one step farther for each row, so that what is left
    behind need not be fetched later.
    """
    side = env.side

    def begin():
        nothing = jnp.zeros((side,), jnp.uint32)
        none = jnp.int32(NONE)
        return Map(nothing, nothing, nothing, nothing, jnp.zeros((2,), jnp.int32), none)

    def act(key, memory, obs, state):
        memory = _look(memory, obs)
        unseen = _neighbours(~memory.known & _all(side), side)
        worth = memory.free & (unseen if env.has_exit else ~memory.visited)
        worth = worth & ~square(memory.position, side)
        goal_seen = jnp.any(memory.goal != 0)
        index = np.arange(side)
        depth = jnp.where((memory.inward & 1) == 1, index, (side - index) % side)
        delay = 2 * (side - 1 - depth) if env.has_exit else depth

        def targets(time):
            due = delay <= time
            columns = jnp.sum(jnp.where(due, jnp.uint32(1) << index.astype(np.uint32), 0))
            area = jnp.where(memory.inward >= UP, jnp.where(due, _all(side), 0), columns)
            return jnp.where(goal_seen, memory.goal, worth & area.astype(jnp.uint32))

        action = _first_step(memory.position, targets, 2 * side, memory.free)
        return walk(memory, action), action

    return Player("frontier search on its own map", "history", "bound", begin, act)


def shortest_path(env: LabyrinthEscape) -> Player:
    """Knows the maze, and walks straight to the exit: no player of LabyrinthEscape earns more."""

    def act(key, memory, obs, state):
        bordered = jnp.append(state.walls, _all(env.side))  # on a torus, a wall where it wraps
        free = ~bordered & _all(env.side)
        goal = square(state.goal, env.side + 1)
        return memory, _first_step(state.position, lambda time: goal, 0, free)

    return Player("shortest path with the map", "privileged", "optimal", lambda: (), act)


def walk(memory: Map, action: Int[Array, ""]) -> Map:
    """The map after an action: walls stop it, and the start can be walked on."""
    side = memory.known.shape[-1]
    ahead = (memory.position + _way(action)) % side
    moved = jnp.any(square(ahead, side) & memory.free != 0) | jnp.all(ahead == 0)
    return memory.replace(position=jnp.where(moved, ahead, memory.position))


def _look(memory: Map, obs: Int[Array, "10"]) -> Map:
    """The map with the view drawn in."""
    side = memory.known.shape[-1]
    view = obs[:9].reshape(3, 3)
    # In its entrance the agent is not in the middle of a view that is cut in the north or west,
    # and the third row (or column) is padding.
    at_start = jnp.all(memory.position == 0)
    corner = memory.position - 1 + (at_start & (jnp.stack([view[0, 1], view[1, 0]]) == START))
    third = np.arange(3) == 2
    seen = ~(at_start & (view[0, 1] != WALL) & third)[:, None]
    seen = seen & ~(at_start & (view[1, 0] != WALL) & third)
    rows, columns = ((corner[i] + np.arange(3)) % side for i in range(2))

    def drawn(squares: Bool[Array, "3 3"]) -> Rows:
        bits = jnp.sum(jnp.where(squares, jnp.uint32(1) << columns.astype(jnp.uint32), 0), axis=1)
        at = np.arange(side)[:, None] == rows
        return jnp.sum(jnp.where(at, bits, 0), axis=1).astype(jnp.uint32)

    is_free = (view == FREE) | (view == GOAL)
    return memory.replace(
        known=memory.known | drawn(seen),
        free=memory.free | drawn(seen & is_free),
        goal=memory.goal | drawn(seen & (view == GOAL)),
        visited=memory.visited | square(memory.position, side),
        inward=jnp.where(obs[9] == NONE, _inward(view), memory.inward),
    )


def _first_step(
    position: Int[Array, "2"], targets: Callable[[Array], Rows], delay: int, free: Rows
) -> Int[Array, ""]:
    """The action that begins a shortest path over free squares to the best target.

    Water rises from the targets, a square at a time, until it comes to the agent. `targets(time)`
    are those that have sprung by then, all of them after `delay`.
    """
    side = free.shape[-1]
    beside = jnp.stack([square((position + np.array(way)) % side, side) for way in WAYS])

    def reached(flood):
        return jnp.any(beside & flood != 0, axis=1)

    def rise(carry):
        flood, time, _ = carry
        higher = flood | (_neighbours(flood, side) & free) | targets(time + 1)
        return higher, time + 1, jnp.any(higher != flood) | (time < delay)

    flood, _, _ = jax.lax.while_loop(
        lambda carry: carry[2] & ~jnp.any(reached(carry[0])),
        rise,
        (targets(jnp.int32(0)), jnp.int32(0), jnp.any(targets(jnp.int32(delay)) != 0)),
    )
    return jnp.argmax(reached(flood)).astype(jnp.int32)


def _neighbours(squares: Rows, side: int) -> Rows:
    """The squares beside any of these, on the torus."""
    right = (squares << 1) | (squares >> (side - 1))
    left = (squares >> 1) | (squares << (side - 1))
    beside = jnp.roll(squares, 1, axis=-1) | jnp.roll(squares, -1, axis=-1) | left | right
    return beside & _all(side)


def _all(side: int) -> UInt32[np.ndarray, ""]:
    return np.uint32(2**side - 1)


def _way(action: Int[Array, ""]) -> Int[Array, "2"]:
    return jnp.sum(jnp.where((np.arange(4) == action)[:, None], np.array(WAYS), 0), axis=0)


def follow(before, after, action):
    """What the reference player remembers once `action` was done, its own choice or not."""
    return walk(after.replace(position=before.position), action)
