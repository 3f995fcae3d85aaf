"""Drawn episodes, compactly: a shape is written once, a frame as its change to the one before.

Frame t shows the moment after t actions, with all that is hidden; the page hides it until asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from popjax import render
from popjax.core import Environment, TimeStep
from popjax.players import Episodes

HEAD = 3  # lines of an SVG document before its shapes: the element, its title, the background


def drawn(env: Environment, episodes: Episodes, steps: int) -> dict[str, Any]:
    """`steps + 1` frames of the first of the episodes, which were played with their states."""
    scenes = [render.draw(env, *moment, reveal=True) for moment in moments(episodes, steps)]
    documents = [render.svg(scene).split("\n") for scene in scenes]
    shapes: dict[str, int] = {}
    frames = [
        [shapes.setdefault(line, len(shapes)) for line in lines[HEAD:-1]] for lines in documents
    ]
    return {
        "open": documents[0][0],
        "background": documents[0][2],
        "titles": [scene.title for scene in scenes],
        "shapes": list(shapes),
        "frames": splices(frames),
    }


def moments(episodes: Episodes, steps: int):
    """The state and time step after each number of actions, from none on."""
    host = jax.device_get(episodes)

    def at(tree, t):
        return jax.tree.map(lambda leaf: leaf[t, 0], tree)

    no = np.bool_(False)
    yield at(host.state, 0), TimeStep(host.obs[0, 0], np.float32(0), no, no)
    for t in range(steps):
        step = at(host.replace(state=None, next_state=None), t)
        answer = TimeStep(step.next_obs, step.reward, step.terminated, step.truncated)
        yield at(host.next_state, t), answer


def splices(frames: Sequence[Sequence[int]]) -> list[list[int]]:
    """Each frame as `[start, how many to take out, what to put in, ...]` in the one before.

    >>> splices([[1, 2, 3], [1, 4, 5, 3], [1, 4, 5, 3]])
    [[0, 0, 1, 2, 3], [1, 1, 4, 5], [4, 0]]
    """
    before: Sequence[int] = []
    written = []
    for frame in frames:
        shorter = min(len(before), len(frame))
        start = next((i for i in range(shorter) if before[i] != frame[i]), shorter)
        most = shorter - start
        end = next((i for i in range(most) if before[-1 - i] != frame[-1 - i]), most)
        written.append([start, len(before) - start - end, *frame[start : len(frame) - end]])
        before = frame
    return written
