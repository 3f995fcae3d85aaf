"""Labyrinths as tokens."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from popjax.envs.labyrinth import NONE
from popjax.tokens.observations import Whole
from popjax.tokens.words import Words, place

SQUARES = ("free", "wall", "start", "goal", "hidden")
WAYS = ("left", "right", "up", "down")
GLYPHS = "·█SG?"  # of the squares: free, wall, start, goal, hidden
SIDE = 3  # of the view


class MazeWords(Words):
    """The squares in view, and the ways to go."""

    def observation(self, component, value):
        return f"{place(component, SIDE)} {SQUARES[value]}"

    def action(self, value):
        return f"go {WAYS[value]}"

    def tokens(self):
        return list(SQUARES)

    def components(self):
        return [f"row {i // SIDE + 1}, column {i % SIDE + 1}" for i in range(SIDE**2)]

    def token(self, token):
        rows = np.reshape([GLYPHS[square] for square in token], (SIDE, SIDE))
        return " ".join("".join(row) for row in rows)


class View(Whole):
    """The nine squares in view, one by one. The tenth component of the observation is the action
    that stands before it."""

    @property
    def sizes(self):
        return self.env.observation_space.sizes[: SIDE**2]

    def encode(self, obs, first=False):
        return obs[..., : SIDE**2]

    def decode(self, token, first=False, previous=0):
        action = jnp.where(first, NONE, previous)
        return jnp.concatenate([token, action[..., None]], axis=-1).astype(jnp.int32)
