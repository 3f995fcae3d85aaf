"""Boards and arms as tokens: Battleship, MineSweeper, MultiarmedBandit."""

from __future__ import annotations

from popjax.tokens.targets import Target
from popjax.tokens.words import Words, place


class ShotWords(Words):
    """Battleship."""

    def observation(self, component, value):
        return ("miss", "hit")[value]

    def action(self, value):
        return f"shoot at {place(value, self.env.size)}"


class MineWords(Words):
    """MineSweeper."""

    def observation(self, component, value):
        return f"{value} around"

    def action(self, value):
        return f"open {place(value, self.env.size)}"

    def tokens(self):
        return [
            f"{value // 2}, a mine" if value % 2 else f"{value // 2} around"
            for value in range(OpenedCell(self.env).sizes[0])
        ]

    def first(self, obs):
        return "all closed"


class ArmWords(Words):
    """MultiarmedBandit."""

    def observation(self, component, value):
        return ("refused", "paid")[value]

    def action(self, value):
        return f"pull arm {value + 1}"


class OpenedCell(Target):
    """MineSweeper: 2 * count + mine. A mine is seen, for it ends the game and costs."""

    @property
    def sizes(self):
        return (2 * self.env.observation_space.sizes,)

    def token(self, obs, action, timestep):
        mine = timestep.terminated & (timestep.reward < 0)
        return (2 * timestep.obs + mine)[None]

    def answer(self, state, action, token):
        return state, token[0] // 2
