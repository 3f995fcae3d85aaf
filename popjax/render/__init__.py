"""Pictures: `draw` makes a `Scene`, plain data, of a moment; four back ends show it.

`ansi` for a terminal, `svg` (and notebooks show a scene by itself), `rgb_array`, and `gif`.

>>> import jax, popjax
>>> env = popjax.make("MineSweeperEasy")
>>> state, timestep = env.reset(jax.random.key(0))
>>> scene = env.render(state, timestep)
>>> any(shape.hidden for shape in scene.shapes)
False
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import numpy as np

from popjax.core import Environment, State, TimeStep
from popjax.render import boards, cards, control, maze
from popjax.render.ansi import ansi
from popjax.render.raster import gif, rgb_array
from popjax.render.scene import Scene
from popjax.render.svg import svg

SCENES: dict[str, Callable[..., Scene]] = {
    "Autoencode": cards.autoencode,
    "Battleship": boards.battleship,
    "Concentration": cards.concentration,
    "CountRecall": cards.count_recall,
    "HigherLower": cards.higher_lower,
    "LabyrinthEscape": maze.labyrinth,
    "LabyrinthExplore": maze.labyrinth,
    "MineSweeper": boards.minesweeper,
    "MultiarmedBandit": boards.multiarmed_bandit,
    "NoisyPositionOnlyCartPole": control.cartpole,
    "NoisyPositionOnlyPendulum": control.pendulum,
    "PositionOnlyCartPole": control.cartpole,
    "PositionOnlyPendulum": control.pendulum,
    "RepeatFirst": cards.repeat_first,
    "RepeatPrevious": cards.repeat_previous,
    "VelocityOnlyCartPole": control.cartpole,
}


def draw(env: Environment, state: State, timestep: TimeStep, reveal: bool = False) -> Scene:
    """The moment of one episode as a picture; `reveal` shows in violet what the agent is not told.

    Pictures are drawn outside `jit`, of one episode, not of a batch.
    """
    if env.name not in SCENES:
        raise ValueError(f"no scene is drawn for {env.name}; add one to popjax.render.SCENES")
    if np.ndim(timestep.reward):
        raise ValueError(
            "draw takes one episode: index the batch first, jax.tree.map(lambda x: x[0], ...)"
        )
    state, timestep = jax.device_get((state, timestep))
    return SCENES[env.name](env, state, timestep).shown(reveal)


__all__ = ["SCENES", "Scene", "ansi", "draw", "gif", "rgb_array", "svg"]
