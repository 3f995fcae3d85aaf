"""The law of a count: all layouts of the mines that agree with the history, counted.

Layouts are equally likely, so the chance of an answer is the number of layouts that give it over
the number that agree with the history. They are counted as `popjax.players.mine_chances` does it,
in classes: cells beside an opened one are decided one by one, and partial layouts that put as many
mines around each opened cell are continued in the same ways. Here each class also counts its
layouts by the answer that they give at the cell in question, so one pass gives the whole law.

By the chain rule an episode's code length is `ln C(cells, mines)` less the logarithm of the number
of layouts that agree with all of it; after a win that is one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float, Int

from popjax.envs.minesweeper import MineSweeper
from popjax.floors.base import Law
from popjax.floors.battleship import to_cell
from popjax.players.mine_chances import Classes, places, touching, ways_to_place

BOUND = ""


class Evidence(struct.PyTreeNode):
    """opened: `[cells]` which were opened. counts: `[cells]` the counts that they show."""

    opened: Bool[Array, " cells"]
    counts: Int[Array, " cells"]


@dataclass(frozen=True)
class MineSweeperLaw(Law):
    """The token is 2 * count + mine: a mine is seen, for it ends the game and costs.

    Exact as long as there are no more than `num_classes` classes at a time. If there are more, the
    log-probabilities are not a number, so that no inexact law goes unnoticed: that befell one of
    1,000 episodes of random play at the Hard level. `code_lengths` has no such limit.
    """

    env: MineSweeper
    num_classes: int = 128

    @property
    def num_tokens(self):
        return 2 * self.env.observation_space.sizes

    def begin(self, obs):
        cells = self.env.num_cells
        return Evidence(opened=jnp.zeros(cells, bool), counts=jnp.zeros(cells, jnp.int32))

    def log_probs(self, belief, action):
        cell = to_cell(self.env, action)
        layouts, lost = self._layouts_by_answer(belief, cell)
        layouts = jnp.where(lost, jnp.nan, layouts)
        known = jnp.arange(self.num_tokens) == 2 * belief.counts[cell]
        share = jnp.where(belief.opened[cell], known, layouts / jnp.sum(layouts))
        return jnp.log(share)

    def token(self, action, timestep):
        mine = timestep.terminated & (timestep.reward < 0)
        return 2 * timestep.obs + mine

    def update(self, belief, action, token):
        count, mine = jnp.divmod(token, 2)
        here = (np.arange(self.env.num_cells) == to_cell(self.env, action)) & (mine == 0)
        return Evidence(belief.opened | here, jnp.where(here, count, belief.counts))

    def _layouts_by_answer(
        self, evidence: Evidence, asked: Int[Array, ""]
    ) -> tuple[Float[Array, " tokens"], Bool[Array, ""]]:
        """How many layouts give each answer, up to a factor, and whether there were too many
        classes."""
        cells, mines, width = self.env.num_cells, self.env.num_mines, self.num_tokens
        touches = jnp.asarray(touching(self.env.size))
        salt = np.random.default_rng(0).integers(0, 2**32, (1, cells, 2), dtype=np.uint32)
        counts = evidence.counts.astype(jnp.int8)
        tells = touches & evidence.opened
        is_asked = np.arange(cells) == asked
        border = ~evidence.opened & (jnp.any(tells, axis=1) | touches[asked] | is_asked)
        far = jnp.sum(~evidence.opened & ~border)
        names = jnp.sum(jnp.where(tells[:, :, None], salt, 0), axis=1, dtype=jnp.uint32)
        # What a mine in each cell adds to 2 * count + mine of the queried cell.
        adds = jnp.where(is_asked, 3, jnp.where(touches[asked], 2, 0))

        def decide(carry, cell):
            classes, undecided, lost = carry  # `[cells]` hidden cells around each yet to come
            undecided = undecided - (touches[cell] & border[cell])

            def possible(around):
                missing = counts - around
                fits = (missing >= 0) & (missing <= undecided)
                return classes.used & jnp.all(fits | ~tells[cell], axis=1)

            more = classes.layouts.reshape(-1, mines + 1, width)
            more = jnp.pad(more[:, :-1], ((0, 0), (1, 0), (3, 0)))  # one mine more
            more = jax.lax.dynamic_slice_in_dim(more, 3 - adds[cell], width, axis=2)
            mined = Classes(
                used=possible(classes.around + touches[cell]) & border[cell],
                layouts=more.reshape(classes.layouts.shape),
                around=classes.around + touches[cell],
                name=classes.name + names[cell],
            )
            classes = classes.replace(used=possible(classes.around))
            classes, too_many = put_together(classes, mined)
            return (classes, undecided, lost | too_many), None

        width_of_class = (mines + 1) * width
        start = Classes(
            used=jnp.arange(self.num_classes) == 0,
            layouts=jnp.zeros((self.num_classes, width_of_class)).at[0, 0].set(1.0),
            around=jnp.zeros((self.num_classes, cells), jnp.int8),
            name=jnp.zeros((self.num_classes, 2), jnp.uint32),
        )
        undecided = jnp.sum(touches & border, axis=1, dtype=jnp.int8)
        carry = (start, undecided, jnp.asarray(False))
        (classes, _, lost), _ = jax.lax.scan(decide, carry, jnp.arange(cells))
        layouts = jnp.sum(classes.layouts * classes.used[:, None], axis=0)
        ways = jnp.asarray(ways_to_place(cells, mines))[far]
        return ways @ layouts.reshape(mines + 1, width), lost


def put_together(classes: Classes, others: Classes) -> tuple[Classes, Bool[Array, ""]]:
    """`classes`, and `others` added to those of the same name or put where there is none; and
    whether there was no place for some."""
    same, taken = places(classes, others)
    placed, none = jnp.any(same | taken, axis=0), len(classes.used)
    place = jnp.where(placed, jnp.argmax(same | taken, axis=0), none)
    place_of_new = jnp.where(jnp.any(taken, axis=0), place, none)
    layouts = jnp.where(classes.used[:, None], classes.layouts, 0.0)
    return Classes(
        used=classes.used.at[place].set(True, mode="drop"),
        layouts=layouts.at[place].add(others.layouts, mode="drop"),
        around=classes.around.at[place_of_new].set(others.around, mode="drop"),
        name=classes.name.at[place_of_new].set(others.name, mode="drop"),
    ), jnp.any(others.used & ~placed)


def law(env: MineSweeper) -> Law:
    return MineSweeperLaw(env)


def num_layouts(size: int, num_mines: int, counts: dict[int, int], mines: frozenset[int]) -> int:
    """How many layouts have mines in the cells `mines` and, around each cell of `counts`, itself
    included, as many mines as it shows; the cells of `counts` not in `mines` are clear.

    Whole numbers and as many classes as there are, so it is exact for any board.

    >>> num_layouts(8, 10, {}, frozenset()), num_layouts(4, 2, {0: 1}, frozenset({0}))
    (151473214816, 12)
    """
    near = touching(size)
    hidden = [cell for cell in range(size**2) if cell not in counts and cell not in mines]
    cells = sorted(counts)
    missing = [counts[c] - (c in mines) - sum(near[c, mine] for mine in mines) for c in cells]
    tells = {cell: [i for i, c in enumerate(cells) if near[cell, c]] for cell in hidden}
    border = [cell for cell in hidden if tells[cell]]
    undecided = [sum(near[cell, c] for cell in border) for c in cells]
    if any(not 0 <= m <= u for m, u in zip(missing, undecided, strict=True)):
        return 0
    most = num_mines - len(mines)
    classes = {tuple(missing): [1] + most * [0]}  # the layouts, by the mines they hold
    for cell in border:
        for i in tells[cell]:
            undecided[i] -= 1
        following = defaultdict(lambda: (most + 1) * [0])
        for state, layouts in classes.items():
            for mine in (0, 1):
                after = list(state)
                for i in tells[cell]:
                    after[i] -= mine
                if all(0 <= after[i] <= undecided[i] for i in tells[cell]):
                    sums = following[tuple(after)]
                    for m in range(most + 1 - mine):
                        sums[m + mine] += layouts[m]
        classes = following
    far = len(hidden) - len(border)
    return sum(
        layouts[m] * math.comb(far, most - m)
        for layouts in classes.values()
        for m in range(most + 1)
    )


def code_lengths(env: MineSweeper, episodes) -> Float[np.ndarray, " N"]:
    """`[N]` nats of each episode's tokens, from the layouts that agree with all of it."""
    action, obs, reward = (
        np.asarray(x) for x in (episodes.action, episodes.next_obs, episodes.reward)
    )
    cell = to_cell(env, action)
    mine = np.asarray(episodes.terminated) & (reward < 0)
    valid = np.asarray(episodes.valid)
    nats = []
    for n in range(cell.shape[1]):
        now = valid[:, n]
        counts = dict(zip(cell[now, n].tolist(), obs[now, n].tolist(), strict=True))
        mines = frozenset(cell[mine[:, n], n].tolist())
        left = num_layouts(env.size, env.num_mines, counts, mines)
        nats.append(math.log(math.comb(env.num_cells, env.num_mines) / left))
    return np.array(nats)
