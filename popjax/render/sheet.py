"""A contact sheet: one picture of every family."""

from __future__ import annotations

import jax
from PIL import Image

import popjax
from popjax.core import Environment, State, TimeStep
from popjax.families import family_of
from popjax.players import make_player, play
from popjax.render import draw
from popjax.render.raster import image
from popjax.render.scene import Scene

COLUMNS, GAP, TABLE = 4, 2.0, "#d9d1c0"


def moment(name: str, share: float, seed: int = 0) -> tuple[Environment, State, TimeStep]:
    """An environment, and its state and time step after a share of an episode, played by the
    reference player where there is one."""
    env = popjax.make(name)
    player = make_player(env, "reference" if family_of(env).players else "random")
    episode = play(env, player, jax.random.key(seed), 1, keep_states=True)
    step = int(share * (int(episode.lengths[0]) - 1))
    then = jax.tree.map(lambda leaf: leaf[step, 0], episode)
    timestep = TimeStep(then.next_obs, then.reward, then.terminated, then.truncated)
    return env, then.next_state, timestep


def contact_sheet(scenes: list[Scene], scale: float = 6.0) -> Image.Image:
    """The scenes side by side, each fitted into the room of the smallest frame."""
    width, height = (round(scale * side) for side in (scenes[0].width, scenes[0].height))
    gap = round(scale * GAP)
    rows = -(-len(scenes) // COLUMNS)
    size = COLUMNS * (width + gap) + gap, rows * (height + gap) + gap
    sheet = Image.new("RGB", size, TABLE)
    for i, scene in enumerate(scenes):
        fitted = image(scene, min(width / scene.width, height / scene.height))
        x, y = gap + (i % COLUMNS) * (width + gap), gap + (i // COLUMNS) * (height + gap)
        sheet.paste(scene.background, (x, y, x + width, y + height))
        sheet.paste(fitted, (x + (width - fitted.width) // 2, y + (height - fitted.height) // 2))
    return sheet


def families_sheet() -> Image.Image:
    """Every family at its Easy level in the midst of an episode; pendulums early, while they still
    swing."""
    shares = {family: 0.1 if "Pendulum" in family else 0.4 for family in popjax.FAMILIES}
    return contact_sheet([draw(*moment(f"{f}Easy", share)) for f, share in shares.items()])
