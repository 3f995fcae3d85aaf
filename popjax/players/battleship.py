"""Players of Battleship."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from popjax.envs.battleship import Battleship
from popjax.players.base import Player

ROUNDS = 5  # of messages; more change nothing
NEVER = -1


def memoryless(env: Battleship) -> Player:
    """Shoots at the cells in order, row by row. Needs its own last action and nothing else; no
    other fixed order that was tried ends sooner."""

    def act(key, cell, obs, state):
        cell = (cell + 1) % env.size**2
        return cell, to_action(env, cell)

    return Player("sweep of the board", "obs", "bound", lambda: jnp.int32(NEVER), act)


def reference(env: Battleship) -> Player:
    """Shoots where a ship lies with the highest chance, given all that was hit and missed."""
    cells = np.arange(env.size**2).reshape(env.size, env.size)

    def begin():
        unknown = jnp.zeros((env.size, env.size), bool)
        return unknown, unknown, jnp.int32(NEVER)

    def act(key, memory, obs, state):
        hits, misses, last = memory
        hits = hits | ((cells == last) & (obs == 1))
        misses = misses | ((cells == last) & (obs == 0))
        chance = chance_of_ship(hits, misses, env.ships)
        cell = jnp.argmax(jnp.where(hits | misses, -1.0, chance)).astype(jnp.int32)
        return (hits, misses, cell), to_action(env, cell)

    return Player("likeliest ship cell", "history", "bound", begin, act)


def chance_of_ship(
    hits: Bool[Array, "n n"], misses: Bool[Array, "n n"], ships: tuple[int, ...]
) -> Float[Array, "n n"]:
    """How likely a ship lies on each cell, by belief propagation.

    Each ship lies anywhere, with a weight for the cells it covers; the ships are tied by the
    cells. A hit is covered by exactly one ship, another cell by at most one, a miss by none. So
    what a cell adds to the weight of a ship that covers it depends on the odds that one of the
    other ships does. Kschischang, Frey and Loeliger, "Factor graphs and the sum-product algorithm"
    (2001); each message is the geometric mean of the old and the new one, to damp swings.
    """

    def covered(weight):
        """`[ships, n, n]` the chance that a ship covers a cell, and it over what the cell adds."""
        sums, totals = zip(*map(cover, weight, ships), strict=True)
        return jnp.stack(sums), jnp.stack(totals)[:, None, None]

    def exchange(_, weight):
        by_ship, total = covered(weight)
        odds = by_ship / jnp.maximum(weight, TINY) / jnp.maximum(total - by_ship, TINY * total)
        others = jnp.maximum(jnp.sum(odds, axis=0) - odds, 1e-4)
        new = 1 / jnp.where(hits, others, 1 + others)
        return jnp.where(misses, 0.0, jnp.sqrt(weight * new))

    start = jnp.where(misses, 0.0, jnp.ones((len(ships), 1, 1)))
    by_ship, total = covered(jax.lax.fori_loop(0, ROUNDS, exchange, start))
    return jnp.sum(by_ship / total, axis=0)


TINY = 1e-6


def cover(weight: Float[Array, "n n"], length: int) -> tuple[Float[Array, "n n"], Float[Array, ""]]:
    """The summed weight of the places of a ship that cover each cell, and that of all places. The
    weight of a place is the product of its cells'."""

    def along_rows(weight):
        starts = weight.shape[1] - length + 1
        place = jnp.prod(jnp.stack([weight[:, i : i + starts] for i in range(length)]), axis=0)
        shifts = [jnp.pad(place, ((0, 0), (i, length - 1 - i))) for i in range(length)]
        return sum(shifts), jnp.sum(place)

    (across, total_across), (down, total_down) = along_rows(weight), along_rows(weight.T)
    return across + down.T, total_across + total_down


def to_action(env: Battleship, cell: Int[Array, ""]) -> Array:
    """The action that names a cell, counted row by row."""
    return cell if env.flat_actions else jnp.stack(jnp.divmod(cell, env.size))


def follow(before, after, cell):
    """A second shot at a cell tells nothing, and is a miss even where a ship lies."""
    hits, misses, _ = after
    return hits, misses, jnp.where((hits | misses).reshape(-1)[cell], NEVER, cell)
