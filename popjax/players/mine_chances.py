"""How likely a mine lies in each cell: all layouts that agree with what was seen, counted.

The hidden cells that touch an opened one are decided one after the other, row by row: mine or not.
Partial layouts with as many mines around each opened cell can be continued in the same ways, so
they make one class and are counted together, by how many mines they hold. A class dies when an
opened cell has more mines around it than it shows, or too few cells left to get there. Cells that
touch no opened one share the other mines in any way.

The classes are few. In 60,000 decisions the reference player met up to 6 of them at the Easy
level, 56 at Medium and 82 at Hard, there more than 32 in one decision of a thousand. Where there
are more than are kept, the last ones are lost and the chances are a little wrong.
"""

from __future__ import annotations

from math import comb

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int, UInt32


class Classes(struct.PyTreeNode):
    """used: `[K]` is there a class. layouts: `[K, mines + 1]` the partial layouts in it, by the
    mines they hold. around: `[K, cells]` the mines they put around each cell. name: `[K, 2]` 64
    random bits, the same for the same mines around the opened cells."""

    used: Bool[Array, " K"]
    layouts: Float[Array, "K mines"]
    around: Int[Array, "K cells"]
    name: UInt32[Array, "K 2"]


def touching(size: int) -> np.ndarray:
    """`[cells, cells]` bool, which cells are neighbours."""
    row, col = np.divmod(np.arange(size**2), size)
    near = (abs(row[:, None] - row) <= 1) & (abs(col[:, None] - col) <= 1)
    return near & ~np.eye(size**2, dtype=bool)


def mine_chances(
    opened: Bool[Array, "size size"],
    counts: Int[Array, "size size"],
    num_mines: int,
    num_classes: int = 64,
) -> Float[Array, "size size"]:
    """The chance of a mine in each cell, all layouts being equally likely at first; 0 in the
    opened ones, which show `counts`.

    >>> opened = jnp.zeros((4, 4), bool).at[0, 0].set(True)
    >>> counts = jnp.zeros((4, 4), jnp.int32)
    >>> chances = jax.jit(mine_chances, static_argnums=2)(opened, counts, 2)
    >>> (6 * chances[0]).round(3).tolist()
    [0.0, 0.0, 1.0, 1.0]
    """
    size = opened.shape[0]
    cells = size**2
    touches = jnp.asarray(touching(size))
    salt = np.random.default_rng(0).integers(0, 2**32, (1, cells, 2), dtype=np.uint32)
    opened, counts = opened.reshape(-1), counts.reshape(-1).astype(jnp.int8)
    tells = touches & opened
    border = ~opened & jnp.any(tells, axis=1)
    far = jnp.sum(~opened & ~border)
    names = jnp.sum(jnp.where(tells[:, :, None], salt, 0), axis=1, dtype=jnp.uint32)

    def decide(carry, cell_and_weight):
        classes, undecided = carry  # `[cells]` hidden cells around each that are yet to come
        cell, weight = cell_and_weight
        undecided = undecided - (touches[cell] & border[cell])

        def possible(around):
            missing = counts - around
            fits = (missing >= 0) & (missing <= undecided)
            return classes.used & jnp.all(fits | ~tells[cell], axis=1)

        mined = classes.replace(
            layouts=weight * jnp.pad(classes.layouts[:, :-1], ((0, 0), (1, 0))),
            around=classes.around + touches[cell],
            name=classes.name + names[cell],
        )
        stays = possible(classes.around)
        mined = mined.replace(used=possible(mined.around) & border[cell])
        return (merge(classes.replace(used=stays), mined), undecided), None

    def log_layouts(weights):
        """The logarithm of the number of layouts, each counted with the weights of its mines."""
        first = jnp.arange(num_classes) == 0
        classes = Classes(
            used=first,
            layouts=jnp.zeros((num_classes, num_mines + 1)).at[0, 0].set(1.0),
            around=jnp.zeros((num_classes, cells), jnp.int8),
            name=jnp.zeros((num_classes, 2), jnp.uint32),
        )
        undecided = jnp.sum(touches & border, axis=1, dtype=jnp.int8)
        (classes, _), _ = jax.lax.scan(decide, (classes, undecided), (jnp.arange(cells), weights))
        ways = jnp.asarray(ways_to_place(cells, num_mines), jnp.float32)[far]
        return jnp.log(jnp.sum(classes.layouts @ ways))

    # A layout counts for the chance of each of its mines: that is what the derivative sums up.
    at_border = jax.grad(log_layouts)(jnp.ones((cells,)))
    elsewhere = (num_mines - jnp.sum(at_border)) / jnp.maximum(far, 1)
    chances = jnp.where(border, at_border, jnp.where(opened, 0.0, elsewhere))
    unknown = num_mines / jnp.maximum(jnp.sum(~opened), 1)  # if all classes were lost
    return jnp.where(jnp.isfinite(chances), chances, unknown).reshape(size, size)


def ways_to_place(cells: int, num_mines: int) -> Float[np.ndarray, "cells+1 mines+1"]:
    """`[n, m]`: in how many ways n cells hold the mines that m others leave, each row over a power
    of two: large boards have more ways than a float32 can hold, and only their ratios matter.

    >>> ways_to_place(2, 2).tolist()
    [[0.0, 0.0, 0.5], [0.0, 0.5, 0.5], [0.25, 0.5, 0.25]]
    """
    rows = [[comb(n, num_mines - m) for m in range(num_mines + 1)] for n in range(cells + 1)]
    return np.array([[way / 2 ** max(row).bit_length() for way in row] for row in rows])


def merge(classes: Classes, others: Classes) -> Classes:
    """`classes`, and `others` added to those of the same name or put where there is none."""
    same, taken = places(classes, others)
    filled, source = jnp.any(taken, axis=1), jnp.argmax(taken, axis=1)
    return Classes(
        used=classes.used | filled,
        layouts=jnp.where(classes.used[:, None], classes.layouts, 0.0)
        + (same | taken).astype(jnp.float32) @ others.layouts,
        around=jnp.where(filled[:, None], others.around[source], classes.around),
        name=jnp.where(filled[:, None], others.name[source], classes.name),
    )


def places(classes: Classes, others: Classes) -> tuple[Bool[Array, "K L"], Bool[Array, "K L"]]:
    """Which class is of the same name as which of the others, and which free place is taken by
    which of those that have no such class, as long as there are free ones."""
    same = jnp.all(classes.name[:, None] == others.name[None, :], axis=-1)
    same = same & classes.used[:, None] & others.used[None, :]
    new, free = others.used & ~jnp.any(same, axis=0), ~classes.used
    order = jnp.cumsum(free)[:, None] == jnp.cumsum(new)[None, :]
    return same, free[:, None] & new[None, :] & order
