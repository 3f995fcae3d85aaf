"""LabyrinthEscape: find the way out of a maze. LabyrinthExplore: walk on every square of one."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Int, UInt32

from popjax import fields
from popjax.core import Environment, first, then
from popjax.envs import maze
from popjax.spaces import Discrete

FREE, WALL, START, GOAL, HIDDEN = range(5)
LEFT, RIGHT, UP, DOWN, NONE = range(5)
NOWHERE = (-9, -9)


class State(struct.PyTreeNode):
    """walls: `[side]` a row of the grid each, a bit a column. explored: `[side]`, where the agent
    has been. position, start: `[2]` row and column. goal: `[2]`, far outside where there is none.
    steps: `[]` taken so far.
    """

    walls: UInt32[Array, " side"]
    explored: UInt32[Array, " side"]
    position: Int[Array, "2"]
    start: Int[Array, "2"]
    goal: Int[Array, "2"]
    steps: Int[Array, ""]


@dataclass(frozen=True)
class Labyrinth(Environment):
    """What the two families share. The maze is on a grid of `side` = `size` + 1 squares a side;
    `size` is the reference's name for it, and half of it are the cells a side. `has_exit`: there
    is a way out, and it is to be found.

    size: even, from 6 to 30.
    limit: from 2 to 1,000,000, the reference's `episode_length` (1,024); an episode is truncated
        one step before it.
    """

    size: int = 10
    limit: int = 1024

    needs_previous_action = True
    has_exit = False

    def __post_init__(self):
        fields.whole(self, "size", 6, 30, even=True)
        fields.whole(self, "limit", 2, fields.MOST_STEPS)

    @property
    def side(self) -> int:
        return self.size + 1

    @property
    def max_steps(self) -> int:
        return self.limit - 1

    @property
    def observation_space(self) -> Discrete:
        return Discrete((5,) * 10)

    @property
    def action_space(self) -> Discrete:
        return Discrete(4)

    def markov_state(self, state):
        """`[side * side]`: the squares the agent has been to, HIDDEN where it has not. It is the
        reference's state, which holds neither the squares still ahead nor the position."""
        place = np.arange(self.side)
        seen = (state.explored[:, None] >> place.astype(np.uint32)) & 1 == 1
        grid = jnp.where(_is(state.start, place, place), START, FREE)
        grid = jnp.where(_is(state.goal, place, place), GOAL, grid)
        return jnp.where(seen, grid, HIDDEN).reshape(-1).astype(jnp.float32)

    def _begin(self, key) -> State:
        walls, start, goal = maze.generate(key, self.size // 2, num_hunts=self.side**2)
        goal = goal if self.has_exit else jnp.array(NOWHERE)
        at_start = square(start, self.side)
        return State(
            walls=walls & ~at_start & ~square(goal, self.side),
            explored=at_start,
            position=start,
            start=start,
            goal=goal,
            steps=jnp.int32(0),
        )

    def _move(self, state: State, action: Array) -> State:
        """The state after a step; into a wall or off the grid the agent stays where it is."""
        down = (action == DOWN).astype(jnp.int32) - (action == UP)
        right = (action == RIGHT).astype(jnp.int32) - (action == LEFT)
        ahead = jnp.clip(state.position + jnp.stack([down, right]), 0, self.size)
        blocked = jnp.any(square(ahead, self.side) & state.walls != 0)
        position = jnp.where(blocked, state.position, ahead)
        return state.replace(
            position=position,
            explored=state.explored | square(position, self.side),
            steps=state.steps + 1,
        )

    def _observe(self, state: State, action: Array) -> Int[Array, "10"]:
        """The three rows and columns from one before the agent (or the first) on. Where the grid
        ends after the agent, or it stands in the first one, the third is padding: wall."""
        corner = jnp.maximum(state.position - 1, 0)
        padded = (state.position == 0) | (state.position == self.size)
        rows, columns = corner[0] + np.arange(3), corner[1] + np.arange(3)
        walls = jnp.sum(
            jnp.where(rows[:, None] == np.arange(self.side), state.walls, 0), axis=1
        ).astype(jnp.uint32)
        view = ((walls[:, None] >> columns.astype(jnp.uint32)) & 1).astype(jnp.int32)
        view = jnp.where(_is(state.start, rows, columns), START, view)
        view = jnp.where(_is(state.goal, rows, columns), GOAL, view)
        third = np.arange(3) == 2
        pad = (padded[0] & third)[:, None] | (padded[1] & third)
        view = jnp.where(pad, WALL, view)
        return jnp.append(view.reshape(9), action.astype(jnp.int32))


def square(place: Int[Array, "2"], side: int) -> UInt32[Array, " side"]:
    """One square as rows of bits; none if it lies outside."""
    column = jnp.uint32(1) << jnp.clip(place[1], 0).astype(jnp.uint32)
    return jnp.where(np.arange(side) == place[0], column, 0)


def count(rows: UInt32[Array, " side"]) -> Int[Array, ""]:
    """How many squares are set."""
    return jnp.sum(jax.lax.population_count(rows)).astype(jnp.int32)


def _is(place: Int[Array, "2"], rows: Array, columns: Array) -> Bool[Array, "rows columns"]:
    return (place[0] == rows)[:, None] & (place[1] == columns)


class LabyrinthEscape(Labyrinth):
    """Walk from an entrance in the outer wall of a maze to the exit in the opposite wall.

    Observation: `[10]` ints: a view of 3 x 3 squares, row by row (0 free, 1 wall, 2 start, 3 goal;
        4 never comes up), and the action just taken (4 at reset). The view begins one row above
        and one column left of the agent, or at the grid's edge; what is missing is padded at its
        *end* with walls. So at the top or left edge the agent is not in its middle, and what it
        sees there is one row or column less than it could.
    Action: `[]` int: left, right, up, down. Walls and the border stop it: a step without a move.
    Reward: -1/1024 each step, and 1 more at the goal; 1024 is the field `limit`.
    End: terminated at the goal; truncated when 1,023 steps (`limit` - 1) are taken. Both may come
        together.
    The maze: hunt-and-kill (`popjax.envs.maze`). The generator hunts `side**2` times, so in rare
        mazes cells stay walled up: then the goal, or everything, may be out of reach.
    Differs from the reference in: nothing.
    """

    has_exit = True

    @property
    def return_bounds(self):
        """The goal is in the opposite wall, at least `size` steps away: no shorter episode can
        reach it."""
        worst = -self.max_steps / self.limit
        return worst, 1 - self.size / self.limit if self.max_steps >= self.size else worst

    def reset(self, key):
        state = self._begin(key)
        return state, first(self._observe(state, jnp.int32(NONE)))

    def transition(self, key, state, action):
        state = self._move(state, action)
        escaped = jnp.all(state.position == state.goal)
        reward = escaped - 1.0 / self.limit
        truncated = state.steps == self.max_steps
        return state, then(self._observe(state, action), reward, escaped, truncated)


class LabyrinthExplore(Labyrinth):
    """Walk on every free square of a maze, from an entrance in its outer wall.

    Observation: `[10]` ints: a view of 3 x 3 squares, row by row (0 free, 1 wall, 2 start), cut and
        padded at the grid's edge as in `LabyrinthEscape`, and the action just taken (4 at reset).
        There is no goal: no exit is cut into the wall.
    Action: `[]` int: left, right, up, down. Walls and the border stop it: a step without a move.
    Reward: 1/f for a square where the agent has not been, f the number of free squares besides the
        start; -1/1024 for any other step; 1024 is the field `limit`.
    End: terminated when no free square is left; truncated when 1,023 steps (`limit` - 1) are
        taken. Both may come together.
    The maze: as in `LabyrinthEscape`; walled-up cells are not free, and cells that are cut off
        from the start do not occur: only the start itself can be cut off from them all.
    Differs from the reference in: nothing.
    """

    @property
    def return_bounds(self):
        """At best every step leads to a new square."""
        return (-self.max_steps / self.limit, 1.0)

    def reset(self, key):
        state = self._begin(key)
        return state, first(self._observe(state, jnp.int32(NONE)))

    def transition(self, key, state, action):
        known = state.explored
        state = self._move(state, action)
        found = count(state.explored) - count(known)
        free = state.walls.shape[-1] * self.side - count(state.walls)
        reward = jnp.where(found > 0, 1 / (free - 1), -1 / self.limit)
        finished = count(state.explored) == free
        truncated = state.steps == self.max_steps
        return state, then(self._observe(state, action), reward, finished, truncated)


def _levels(family: type[Labyrinth]) -> dict[str, Labyrinth]:
    return {"Easy": family(size=10), "Medium": family(size=14), "Hard": family(size=18)}


ESCAPE = _levels(LabyrinthEscape)
EXPLORE = _levels(LabyrinthExplore)
