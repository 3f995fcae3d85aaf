"""Battleship: sink a fleet that is never shown."""

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


def place_fleet(key: Key[Array, ""], size: int, ships: tuple[int, ...]) -> Bool[Array, "size size"]:
    """A board with the ships placed in order, each in any free place with equal chance. The key
    is consumed.

    The reference draws one end of the ship and one of four directions until the ship fits. So every
    place is drawn from both of its ends, those that fit are equally likely, and one of them can be
    drawn directly. Each ship must have a place wherever the ones before it lie (`always_fits`); one
    that has none is left out.
    """
    row, col = np.arange(size)[:, None], np.arange(size)[None, :]

    def room(lines):
        """`[size, size]` how many free cells lie in a row from each cell on, up to the longest
        ship."""
        free = jnp.pad(~lines, ((0, 0), (0, max(ships) - 1)))
        cells = [free[:, i : i + size] for i in range(max(ships))]
        return sum(jnp.stack(cells[: i + 1]).all(0).astype(jnp.int32) for i in range(len(cells)))

    def place_ship(board, key_and_length):
        key, length = key_and_length
        fits = jnp.stack([room(board), room(board.T)]) >= length
        upto = jnp.cumsum(fits.reshape(-1))
        choice = jnp.sum(upto <= below(key, upto[-1]))
        upright, start = jnp.divmod(choice, size**2)
        line, start = jnp.divmod(start, size)
        ship = (row == line) & (col >= start) & (col < start + length)
        return board | jnp.where(upright == 1, ship.T, ship), None

    keys = jax.random.split(key, len(ships))
    empty = jnp.zeros((size, size), bool)
    return jax.lax.scan(place_ship, empty, (keys, jnp.asarray(ships)))[0]


def always_fits(size: int, ships: tuple[int, ...]) -> bool:
    """Every ship finds a place, wherever the ships before it lie.

    A ship takes from a later one, of length L, no more than the places that meet it: in its own
    line `length + L - 1` and in each line that crosses it L, or all `size - L + 1` of a line if
    these are fewer. Where that leaves some of the `2 size (size - L + 1)` places there is one;
    where it does not there may be none, and the reference would draw for ever.

    >>> always_fits(6, (2, 3, 3, 4)), always_fits(5, (2, 3, 3, 4)), always_fits(5, (4, 3, 3, 2))
    (True, False, True)
    """

    def taken(length, later):
        line = size - later + 1
        return min(length + later - 1, line) + length * min(later, line)

    return all(
        sum(taken(before, length) for before in ships[:i]) < 2 * size * (size - length + 1)
        for i, length in enumerate(ships)
    )


class State(struct.PyTreeNode):
    """board: `[size, size]` where ships lie. shots: `[size, size]` where was shot.
    hits: `[]` ship cells hit. time: `[]` steps taken. last_hit: `[]` the last shot was a hit."""

    board: Bool[Array, "size size"]
    shots: Bool[Array, "size size"]
    hits: Int[Array, ""]
    time: Int[Array, ""]
    last_hit: Bool[Array, ""]


@dataclass(frozen=True)
class Battleship(Environment):
    """Shoot at the cells of a board on which ships are hidden.

    Observation: `[]` int, 1 if the last shot was a hit, else 0, as at reset. It does not say where
        that shot was.
    Action: `[2]` int, row and column; with `flat_actions` `[]` int, row * size + column.
    Reward: 1 / k for a hit, with k ship cells in all, so only hits earn 1; -1 / (size^2 - k) for a
        miss, so shooting at every cell once earns 0. A second shot at a hit cell is a miss.
    End: terminated when every ship cell is hit, truncated after size^2 steps; both may be true.
    Differs from the reference in: nothing.
    Fields: size from 2 to 26; ships, each from 1 to size, placed in this order, such that each
        finds a place wherever those before it lie (`always_fits`): the fleet of the levels needs
        a size of 6.
    """

    needs_previous_action = True

    size: int = 8
    ships: tuple[int, ...] = (2, 3, 3, 4)
    flat_actions: bool = False

    def __post_init__(self):
        fields.whole(self, "size", 2, fields.MOST_ROWS)
        fields.wholes(self, "ships", 1, self.size)
        fields.flag(self, "flat_actions")
        if not self._would_fit(self.size):
            raise ValueError(
                f"{self.name}: ships {self.ships}, placed in this order, may find no place on a "
                f"board of size {self.size}: {self._remedy()}"
            )

    def _remedy(self) -> str:
        """What would do instead."""
        sizes = range(self.size + 1, fields.MOST_ROWS + 1)
        enough = next(filter(self._would_fit, sizes), None)
        return f"size is from {enough} to {sizes[-1]} for them" if enough else "take fewer"

    def _would_fit(self, size: int) -> bool:
        return self.ship_cells < size**2 and always_fits(size, self.ships)

    @property
    def ship_cells(self) -> int:
        return sum(self.ships)

    @property
    def max_steps(self) -> int:
        return self.size**2

    @property
    def return_bounds(self) -> tuple[float, float]:
        """From misses alone to hits alone."""
        return -self.max_steps / (self.max_steps - self.ship_cells), 1.0

    @property
    def observation_space(self) -> Discrete:
        return Discrete(2)

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.size**2 if self.flat_actions else (self.size, self.size))

    def reset(self, key):
        board = place_fleet(key, self.size, self.ships)
        nothing = jnp.int32(0)
        state = State(board, jnp.zeros_like(board), nothing, nothing, jnp.asarray(False))
        return state, first(nothing)

    def transition(self, key, state, action):
        row, col = jnp.divmod(action, self.size) if self.flat_actions else action
        hit = state.board[row, col] & ~state.shots[row, col]
        lines = np.arange(self.size)
        shots = state.shots | ((lines == row)[:, None] & (lines == col)[None, :])
        state = State(state.board, shots, state.hits + hit, state.time + 1, hit)
        miss = -1 / (self.max_steps - self.ship_cells)
        return state, then(
            hit.astype(jnp.int32),
            jnp.where(hit, 1 / self.ship_cells, miss),
            terminated=state.hits == self.ship_cells,
            truncated=state.time >= self.max_steps,
        )

    def markov_state(self, state):
        """`[2 size^2 + 1]`: where ships lie, where was shot, and whether the last shot hit."""
        parts = state.board.reshape(-1), state.shots.reshape(-1), state.last_hit[None]
        return jnp.concatenate(parts).astype(jnp.float32)


LEVELS = {
    "Easy": Battleship(size=8),
    "Medium": Battleship(size=10),
    "Hard": Battleship(size=12),
}
