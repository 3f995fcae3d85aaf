"""Players of MineSweeper."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from popjax.envs.minesweeper import MOST_AROUND, MineSweeper
from popjax.players.base import Player
from popjax.players.battleship import to_action
from popjax.players.mine_chances import mine_chances, touching

NONE = -1
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_"
NEXT_CELL = {  # (size, mines): a line for each count, a digit for each cell opened last
    (4, 2): (
        "523784A696BFD8DE",
        "336A14AF91BD19CE",
        "37F287FF91C4B9CC",
    ),
    (6, 6): (
        "72345BC6E89AD1LLNBOIJMGSPQLXTZVOVWRY",
        "HH899N16EGGAD1FGNSEIJKKUPQKXTRWPQLUU",
        "HH899S16SNNAD1FZZS5FMKXUPEIJUXWPJUSU",
        "H4SBNHC6HSNAD155SZEFMKXR4EIJUZQJJAEM",
        "1234NBC6HHNAD155ZZLHM5XUP8IIUZ0UI2XY",
        "12345BC6589ADE55SNOHJKLMPQRSUZ0UVWXY",
        "12345BC6789ADEFGHNOIJKLMPQRSTZ0UVWXY",
    ),
    (8, 10): (
        "12345E7FG89ABCDEPIJKTMNFWOHQLSTUXYRwbjdVoenrhicknfpqj-t_gmvwxyzl",
        "P8AABC7D9I8ABxCEHIsssMNxYOgQLLMxXHQs6jdroesrhicrofpqyxtzjnoaalk-",
        "P8AABCsgsP8sxxCEHssssMNDhsgQLLMxXHIa6jdroeIr6icrnop6yxVV0noa6lz-",
        "Pir456su3s8yxBCEHssztMxYWssQL6MxXHHm6jd-moIryizUbopsyaVv0bGa7lz-",
        "123456KFGt8ixhCEHtsKLqqVWsPNRsTxXHHa6c-lmeT6c3jknoqXJwV_0uvaxyz-",
        "1234567FG89AnCDEHIJKLMNVWJPQRSTUXYZa7cdlmefghijknopqrsV_0uvwxyz-",
        "1234567FG89ABCDEHIJKLMNVWOPQRSTUXYZabcdlmefghijknopqrst_0uvwxyz-",
        "1234567FG89ABCDEHIJKLMNVWOPQRSTUXYZabcdlmefghijknopqrst_0uvwxyz-",
        "1234567FG89ABCDEHIJKLMNVWOPQRSTUXYZabcdlmefghijknopqrst_0uvwxyz-",
        "1234567FG89ABCDEHIJKLMNVWOPQRSTUXYZabcdlmefghijknopqrst_0uvwxyz-",
    ),
}


def memoryless(env: MineSweeper) -> Player:
    """Looks the next cell up by the cell opened last and its count; the first is the corner.

    Such a table is all that a player without memory or dice can be, if it sees its own last
    action. These were searched for by coordinate ascent from many starts, on all layouts (Easy)
    or on 60,000 and 50,000 of them; better ones may exist. They earn 0.362, -0.085 and -0.194,
    while a sweep that ignores the counts earns -0.233, -0.394 and -0.430. Other boards are swept
    row by row.
    """
    sweep = np.tile((np.arange(env.num_cells) + 1) % env.num_cells, (MOST_AROUND + 1, 1))
    lines = NEXT_CELL.get((env.size, env.num_mines), ())
    table = np.array([[DIGITS.index(digit) for digit in line] for line in lines] or sweep)

    def act(key, last, obs, state):
        cell = jnp.where(last == NONE, 0, jnp.asarray(table, jnp.int32)[obs, last])
        return cell, to_action(env, cell)

    return Player("table of next cells", "obs", "bound", lambda: jnp.int32(NONE), act)


def reference(env: MineSweeper) -> Player:
    """Opens the cell with the least chance of a mine, which it knows exactly (see `mine_chances`);
    among equals the one with the fewest unopened neighbours, whose count tells most about them.

    Where the risk costs more than waiting for the end, it waits: it opens an open cell again.
    """
    cells = np.arange(env.num_cells).reshape(env.size, env.size)
    touches = jnp.asarray(touching(env.size), jnp.float32)
    clear = env.max_steps
    num_classes = 64 if env.num_cells <= 36 else 32  # all there are, but for one time of a thousand

    def begin():
        opened = jnp.zeros((env.size, env.size), bool)
        return opened, jnp.zeros((env.size, env.size), jnp.int32), jnp.int32(NONE), jnp.int32(0)

    def act(key, memory, obs, state):
        opened, counts, last, time = memory
        opened, counts = opened | (cells == last), jnp.where(cells == last, obs, counts)
        chances = mine_chances(opened, counts, env.num_mines, num_classes).reshape(-1)
        crowd = touches @ (~opened).reshape(-1).astype(jnp.float32)
        danger = jnp.where(opened.reshape(-1), 2.0, chances + 1e-6 * crowd)
        cell = jnp.argmin(danger).astype(jnp.int32)
        dare = (1 - chances[cell]) / clear - chances[cell] * (0.5 + 1 / clear)
        wait = -0.5 * (clear - time) / (clear - 2)
        cell = jnp.where((dare < wait) & (last != NONE), last, cell)
        return (opened, counts, cell, time + 1), to_action(env, cell)

    return Player("least risk, exact mine probabilities", "history", "bound", begin, act)


def follow(before, after, cell):
    """What the reference player remembers once `cell` was done, its own choice or not."""
    opened, counts, _, time = after
    return opened, counts, cell, time
