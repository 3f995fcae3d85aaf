"""The law of a hit: every way to place the fleet that agrees with the history, weighted.

The ships are placed in order, each uniformly among the places that are still free for it. So not
all boards are equally likely: a fleet has the chance `prod_i 1 / V_i`, V_i places being free for
ship i beside the ships before it, and a board the sum over the fleets that look like it.

By the chain rule an episode's code length is `-ln P(all hits and misses)`. When the game is over
with every ship cell hit that is `-ln P(board)`, so every player who shoots no cell twice has the
same expected total, the entropy of the board: policies choose when to be surprised, not how much.
"""

from __future__ import annotations

import math
from functools import cache

import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Bool, Float

from popjax.envs.battleship import Battleship
from popjax.envs.minesweeper import MineSweeper
from popjax.floors.base import Law
from popjax.players.battleship import chance_of_ship

BOUND = ""
MOST_FLEETS = 200_000
LEAST_CHANCE = 1e-3  # that the inexact law gives to what it deems impossible


@cache
def places(size: int, length: int) -> Bool[np.ndarray, "places cells"]:
    """The cells that a ship covers in each of its places.

    >>> places(8, 4).shape
    (80, 64)
    """
    cells = np.arange(size**2).reshape(size, size)
    lines = [*cells, *cells.T]
    ships = [line[i : i + length] for line in lines for i in range(size - length + 1)]
    return np.array([np.isin(cells.reshape(-1), ship) for ship in ships])


def fleets(
    env: Battleship,
    hits: Bool[np.ndarray, " cells"],
    misses: Bool[np.ndarray, " cells"],
    num_ships: int | None = None,
) -> tuple[Bool[np.ndarray, "fleets cells"], Float[np.ndarray, " fleets"]]:
    """The fleets that cover all hits and no miss, and the logarithm of the chance of each.

    num_ships: place the first so many alone, which leave no more hits than the others can cover.
    """
    boards, log_chance = np.zeros((1, env.size**2), bool), np.zeros(1)
    left = env.ship_cells
    for length in env.ships[:num_ships]:
        ships = places(env.size, length)
        free = _overlap(boards, ships) == 0
        log_chance = log_chance - np.log(free.sum(1))
        left -= length
        before, ship = np.nonzero(free & _allowed(env, ships, hits, misses))
        boards, log_chance = boards[before] | ships[ship], log_chance[before]
        enough = (hits & ~boards).sum(1) <= left
        boards, log_chance = boards[enough], log_chance[enough]
    return boards, log_chance


def log_chance_of(env: Battleship, hits, misses) -> float:
    """Of these hits and misses, `[cells]` bool each, being found where they were shot for."""
    boards, log_chance = fleets(env, hits, misses, -1)
    # The places of the last ship, by far the most, need no boards: they are counted.
    ships = places(env.size, env.ships[-1])
    free, open_hits = _overlap(boards, ships) == 0, hits & ~boards
    covers = _overlap(open_hits, ships) == open_hits.sum(1, keepdims=True)
    fits = (free & covers & _allowed(env, ships, hits, misses)).sum(1)
    some = fits > 0
    log_chance = log_chance[some] + np.log(fits[some]) - np.log(free[some].sum(1))
    return np.logaddexp.reduce(log_chance).item()


def _overlap(boards, ships) -> Float[np.ndarray, "boards places"]:
    """The number of cells that each board shares with each place."""
    return boards.astype(np.float32) @ ships.T.astype(np.float32)


def _allowed(env: Battleship, ships, hits, misses) -> Bool[np.ndarray, " places"]:
    """The places that cover no miss; once all ship cells are known, nothing but hits."""
    allowed = hits if hits.sum() == env.ship_cells else ~misses
    return ~np.any(ships & ~allowed, axis=1)


class ShotBefore(struct.PyTreeNode):
    """shots: `[cells]` where was shot. agree: `[boards]` which boards agree with the answers."""

    shots: Bool[Array, " cells"]
    agree: Bool[Array, " boards"]


class EnumeratedLaw(Law):
    """The token is 1 for a hit, else 0. Keeps every board: for small ones only."""

    env: Battleship

    @property
    def num_tokens(self):
        return 2

    def begin(self, obs):
        boards, _ = _boards(self.env)
        return ShotBefore(jnp.zeros(boards.shape[1], bool), jnp.ones(len(boards), bool))

    def log_probs(self, belief, action):
        boards, chances = _boards(self.env)
        boards = jnp.asarray(boards)
        chances = jnp.asarray(chances.astype(jnp.result_type(float)))
        cell = to_cell(self.env, action)
        left = jnp.where(belief.agree, chances, 0.0)
        hit = jnp.sum(jnp.where(boards[:, cell], left, 0.0)) / jnp.sum(left)
        hit = jnp.where(belief.shots[cell], 0.0, hit)
        return jnp.log(jnp.stack([1 - hit, hit]))

    def update(self, belief, action, token):
        cell = to_cell(self.env, action)
        agree = jnp.asarray(_boards(self.env)[0])[:, cell] == token
        return ShotBefore(
            belief.shots | (np.arange(self.env.size**2) == cell),
            belief.agree & (agree | belief.shots[cell]),
        )


@cache
def _boards(
    env: Battleship,
) -> tuple[Bool[np.ndarray, "boards cells"], Float[np.ndarray, " boards"]]:
    """All boards and the chance of each."""
    nothing = np.zeros(env.size**2, bool)
    covers, log_chance = fleets(env, nothing, nothing)
    boards, which = np.unique(covers, axis=0, return_inverse=True)
    return boards, np.bincount(which.ravel(), np.exp(log_chance))


class HitsAndMisses(struct.PyTreeNode):
    """hits, misses: `[size, size]` what was found so far."""

    hits: Bool[Array, "size size"]
    misses: Bool[Array, "size size"]


class PropagatedLaw(Law):
    """The token is 1 for a hit, else 0. Chances by belief propagation, as the reference player's:
    close to the true law and not equal to it, so its loss is an upper bound of the floor."""

    exact = False
    env: Battleship

    @property
    def num_tokens(self):
        return 2

    def begin(self, obs):
        nothing = jnp.zeros((self.env.size, self.env.size), bool)
        return HitsAndMisses(nothing, nothing)

    def log_probs(self, belief, action):
        row, col = jnp.divmod(to_cell(self.env, action), self.env.size)
        chance = chance_of_ship(belief.hits, belief.misses, self.env.ships)[row, col]
        hit = jnp.clip(chance, LEAST_CHANCE, 1 - LEAST_CHANCE)
        hit = jnp.where((belief.hits | belief.misses)[row, col], 0.0, hit)
        return jnp.log(jnp.stack([1 - hit, hit]))

    def update(self, belief, action, token):
        row, col = jnp.divmod(to_cell(self.env, action), self.env.size)
        lines = np.arange(self.env.size)
        new = (lines[:, None] == row) & (lines == col) & ~belief.hits & ~belief.misses
        return HitsAndMisses(
            belief.hits | (new & (token == 1)), belief.misses | (new & (token == 0))
        )


def to_cell(env: Battleship | MineSweeper, action: Array) -> Array:
    """The cell that an action names, counted row by row."""
    return action if env.flat_actions else action[..., 0] * env.size + action[..., 1]


def law(env: Battleship) -> Law:
    """The exact law of a board small enough to write down all fleets, else a bound."""
    num_fleets = math.prod(len(places(env.size, length)) for length in env.ships)
    return (EnumeratedLaw if num_fleets <= MOST_FLEETS else PropagatedLaw)(env)


def code_lengths(env: Battleship, episodes) -> Float[np.ndarray, " N"]:
    """`[N]` nats of each episode's tokens under the true law, from all its hits and misses."""
    cell = to_cell(env, np.asarray(episodes.action))
    valid, hit = np.asarray(episodes.valid), np.asarray(episodes.next_obs) == 1
    nats = []
    for n in range(cell.shape[1]):
        hits, shots = np.zeros((2, env.size**2), bool)
        hits[cell[valid[:, n] & hit[:, n], n]] = True
        shots[cell[valid[:, n], n]] = True
        nats.append(-log_chance_of(env, hits, shots & ~hits))
    return np.array(nats)
