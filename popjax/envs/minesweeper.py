"""MineSweeper: open the cells without a mine, and remember their counts."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Int, Key

from popjax import fields
from popjax.cards import below
from popjax.core import Environment, first, then
from popjax.spaces import Discrete

CLEAR, MINE, VIEWED = 0, 1, 2
MOST_AROUND = 9  # a cell and its eight neighbours


def draw_mines(key: Key[Array, ""], num_mines: int, num_cells: int) -> Bool[Array, " cells"]:
    """`num_mines` different cells, every set of them equally likely. The key is consumed.

    Floyd's method (Bentley, "Programming Pearls: a sample of brilliance", 1987): one draw per
    mine, no shuffle.
    """
    eights = -(-num_mines // 8) * 8  # drawn by the eight: hashes for ten take a second to compile
    last = num_cells - num_mines + jnp.arange(eights)
    draws = below(key, last + 1)

    def draw_one(i, mines):
        cell = jnp.where(mines[draws[i]], last[i], draws[i])
        return mines | (np.arange(num_cells) == cell)

    return jax.lax.fori_loop(0, num_mines, draw_one, jnp.zeros((num_cells,), bool))


class State(struct.PyTreeNode):
    """mines: `[rows, cols]`. viewed: `[rows, cols]` cells opened. time: `[]` steps taken."""

    mines: Bool[Array, "rows cols"]
    viewed: Bool[Array, "rows cols"]
    time: Int[Array, ""]


@dataclass(frozen=True)
class MineSweeper(Environment):
    """Open all cells but those with a mine.

    Observation: `[]` int, the mines in the cell just opened and its neighbours; 0 at first.
    Action: `[2]` int, row and column; with `flat_actions` `[]` int, row * cols + column.
    Reward: 1 / L for a clear cell, with L in all; -1/2 - 1 / L for a mine; -1/2 / (L - 2) for a
        cell opened before.
    End: terminated on a mine, or when all clear cells are open. Truncated after L steps unless it
        is terminated then; so one cell opened twice rules out a win.
    Differs from the reference in: nothing.
    Fields: size from 2 to 26; num_mines from 1 to size^2 - 3.
    """

    needs_previous_action = True

    size: int = 4
    num_mines: int = 2
    flat_actions: bool = False

    def __post_init__(self):
        fields.whole(self, "size", 2, fields.MOST_ROWS)
        # A cell opened again costs 1/2 over (clear cells - 2): three must be clear.
        with_cells = f"with {self.num_cells} cells"
        fields.whole(self, "num_mines", 1, self.num_cells - 3, with_cells)
        fields.flag(self, "flat_actions")

    @property
    def num_cells(self) -> int:
        return self.size**2

    @property
    def max_steps(self) -> int:
        return self.num_cells - self.num_mines

    @property
    def observation_space(self) -> Discrete:
        return Discrete(min(self.num_mines, MOST_AROUND) + 1)

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.num_cells if self.flat_actions else (self.size, self.size))

    def reset(self, key):
        mines = draw_mines(key, self.num_mines, self.num_cells).reshape(self.size, self.size)
        return State(mines, jnp.zeros_like(mines), jnp.int32(0)), first(jnp.int32(0))

    def transition(self, key, state, action):
        row, col = jnp.divmod(action, self.size) if self.flat_actions else action
        rows, cols = np.arange(self.size)[:, None] - row, np.arange(self.size)[None, :] - col
        cell = (rows == 0) & (cols == 0)
        around = (jnp.abs(rows) <= 1) & (jnp.abs(cols) <= 1)
        mine = jnp.any(state.mines & cell)
        again = jnp.any(state.viewed & cell)
        count = jnp.sum(state.mines & around, dtype=jnp.int32)

        clear = self.max_steps  # as many steps as clear cells
        reward = jnp.where(again, -0.5 / (clear - 2), 1 / clear)
        reward = jnp.where(mine, -0.5 - 1 / clear, reward)
        state = State(state.mines, state.viewed | (cell & ~mine), state.time + 1)
        terminated = mine | jnp.all(state.mines | state.viewed)
        truncated = (state.time == clear) & ~terminated
        return state, then(count, reward, terminated, truncated)

    def markov_state(self, state):
        """`[cells]`: 0 clear, 1 mine, 2 viewed."""
        cells = jnp.where(state.mines, MINE, jnp.where(state.viewed, VIEWED, CLEAR))
        return cells.reshape(-1).astype(jnp.float32)


LEVELS = {
    "Easy": MineSweeper(size=4, num_mines=2),
    "Medium": MineSweeper(size=6, num_mines=6),
    "Hard": MineSweeper(size=8, num_mines=10),
}
