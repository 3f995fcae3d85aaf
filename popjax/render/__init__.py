"""Pictures: `draw` turns a state into a `Scene`, plain data; four back ends show it.

`ansi` for a terminal, `svg` (and notebooks show a scene by itself), `rgb_array`, and `gif`.

>>> import jax, popjax
>>> env = popjax.make("MineSweeperEasy")
>>> state, timestep = env.reset(jax.random.key(0))
>>> scene = env.render(state, timestep)
>>> any(shape.hidden for shape in scene.shapes)
False
"""

from __future__ import annotations

import jax
import numpy as np

from popjax.core import Environment, State, TimeStep
from popjax.families import family_of
from popjax.render.ansi import ansi
from popjax.render.raster import gif, rgb_array
from popjax.render.scene import Scene, svg


def draw(env: Environment, state: State, timestep: TimeStep, reveal: bool = False) -> Scene:
    """A picture of one episode's state; `reveal` adds in violet what is hidden from the agent.

    Pictures are drawn outside `jit`, of one episode, not of a batch.
    """
    scene = family_of(env).scene
    if scene is None:
        raise ValueError(f"no scene is drawn for {env.name}: its family has none")
    if np.ndim(timestep.reward):
        raise ValueError(
            "draw takes one episode: index the batch first, jax.tree.map(lambda x: x[0], ...)"
        )
    state, timestep = jax.device_get((state, timestep))
    return scene(env, state, timestep).shown(reveal)


__all__ = ["Scene", "ansi", "draw", "gif", "rgb_array", "svg"]
