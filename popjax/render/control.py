"""Scenes of the cart and of the pendulum: drawn where the agent sees them."""

from __future__ import annotations

import math

import numpy as np

from popjax.core import TimeStep
from popjax.envs.cartpole import (
    ANGLE_LIMIT,
    X_LIMIT,
    CartPole,
)
from popjax.envs.pendulum import MAX_SPEED, Pendulum
from popjax.render import look
from popjax.render.scene import Scene
from popjax.render.shapes import Circle, Line, Rect, Shape, Text

TRACK_Y, UNITS_A_METRE, POLE = 32.0, 11.5, 19.0
MIDDLE = look.WIDTH / 2


def cartpole(env: CartPole, state, timestep: TimeStep) -> Scene:
    noisy, blind = bool(env.sigma), env.shows() == "velocities"
    x, angle, x_dot, angle_dot = (
        float(v) for v in (state.x, state.angle, state.x_dot, state.angle_dot)
    )
    seen_x, seen_angle = (float(v) for v in timestep.obs) if noisy else (x, angle)
    edge = X_LIMIT * UNITS_A_METRE
    body: list[Shape] = [
        Rect(MIDDLE - edge, TRACK_Y, 2 * edge, 0.8, look.LINE, round=0.4),
        Rect(MIDDLE - edge - 0.4, TRACK_Y - 2, 0.8, 4.8, look.MUTED, round=0.4),
        Rect(MIDDLE + edge - 0.4, TRACK_Y - 2, 0.8, 4.8, look.MUTED, round=0.4),
        *_limits(0.0 if blind else _clip(seen_x)),
    ]
    if blind:
        body += _blind(timestep, int(state.time))
        body += _cart(x, angle, look.SECRET, look.SECRET, hidden=True)
        words = "velocities are shown, place and angle are hidden"
    elif noisy:
        body += _cart(_clip(seen_x), seen_angle, look.INK, look.GOLD)
        body += _cart(x, angle, look.SECRET, look.SECRET, hidden=True)
        words = "seen through noise; velocities are hidden"
    else:
        body += _cart(x, angle, look.INK, look.GOLD)
        words = "place and angle are shown, velocities are hidden"
    if not blind:
        body += _speeds(x, angle, x_dot, angle_dot)
    body += _numbers(timestep, blind)
    return look.frame(env, timestep, int(state.time), words, body)


def _clip(x: float) -> float:
    """Within the picture."""
    return float(np.clip(x, -1.1 * X_LIMIT, 1.1 * X_LIMIT))


def _hinge(x: float) -> tuple[float, float]:
    return MIDDLE + UNITS_A_METRE * x, TRACK_Y - 5.0


def _tip(x: float, angle: float, length: float = POLE) -> tuple[float, float]:
    hinge = _hinge(x)
    return hinge[0] + length * math.sin(angle), hinge[1] - length * math.cos(angle)


def _limits(x: float) -> list[Shape]:
    """How far the pole may lean."""
    return [
        Line((_hinge(x), _tip(x, side * ANGLE_LIMIT, POLE + 2.5)), look.SHADE, 0.5)
        for side in (-1, 1)
    ]


def _cart(x: float, angle: float, cart: str, pole: str, hidden: bool = False) -> list[Shape]:
    """The true one, where it is hidden, is an outline."""
    hinge = _hinge(x)
    box = hinge[0] - 5, TRACK_Y - 5, 10, 5
    if hidden:
        return [
            Rect(*box, "", cart, 0.4, 0.8, hidden=True),
            Line((hinge, _tip(x, angle)), pole, 0.6, hidden=True),
            Circle(*hinge, 0.8, cart, hidden=True),
        ]
    return [
        Rect(*box, cart, round=0.9),
        Circle(hinge[0] - 3, TRACK_Y, 1.0, look.MUTED, look.PAPER, 0.3),
        Circle(hinge[0] + 3, TRACK_Y, 1.0, look.MUTED, look.PAPER, 0.3),
        Line((hinge, _tip(x, angle)), pole, 1.3),
        Circle(*hinge, 0.8, look.PAPER),
    ]


def _speeds(x: float, angle: float, x_dot: float, angle_dot: float) -> list[Shape]:
    hinge, tip = _hinge(x), _tip(x, angle)
    return [
        *look.arrow(hinge[0], TRACK_Y - 2.2, 4 * x_dot, 0, look.SECRET_PALE, hidden=True),
        *look.arrow(tip[0], tip[1] - 1.2, 4 * angle_dot, 0, look.SECRET, hidden=True),
    ]


def _blind(timestep: TimeStep, steps: int) -> list[Shape]:
    """A cart that may be anywhere, and arrows for what is shown of it."""
    hinge, tip = _hinge(0), _tip(0, 0)
    ghost: list[Shape] = [
        Rect(hinge[0] - 5, TRACK_Y - 5, 10, 5, look.SHADE, look.LINE, 0.3, 0.9),
        Line((hinge, tip), look.SHADE, 1.3),
        Text(hinge[0], TRACK_Y - 2.5, "?", look.MUTED, 3, bold=True),
    ]
    if not steps:  # the first observation may hold positions
        return ghost
    x_dot, angle_dot = (float(np.clip(v, -5, 5)) for v in timestep.obs)
    return [
        *ghost,
        *look.arrow(hinge[0] + math.copysign(6, x_dot), TRACK_Y - 2.5, 4 * x_dot, 0, look.BLUE),
        *look.arrow(tip[0], tip[1] - 1.2, 4 * angle_dot, 0, look.BLUE),
    ]


def _numbers(timestep: TimeStep, blind: bool) -> list[Shape]:
    units = (" m/s", " rad/s") if blind else (" m", " rad")
    first, second = (f"{float(v):+.2f}{u}" for v, u in zip(timestep.obs, units, strict=True))
    return [
        Text(3, look.HEAD + 33.5, f"cart {first}", look.MUTED, 1.7, "start"),
        Text(look.WIDTH - 3, look.HEAD + 33.5, f"pole {second}", look.MUTED, 1.7, "end"),
    ]


def pendulum(env: Pendulum, state, timestep: TimeStep) -> Scene:
    noisy = bool(env.sigma)
    y, rod = look.HEAD + look.BODY / 2, 14.0
    cos, sin = (float(v) for v in timestep.obs)
    length = rod / max(1.0, math.hypot(cos, sin))  # noise may make it longer than it is
    angle, speed = float(state.angle), float(state.speed)
    tip = MIDDLE + rod * math.sin(angle), y - rod * math.cos(angle)
    seen = MIDDLE + length * sin, y - length * cos
    body: list[Shape] = [
        Circle(MIDDLE, y, rod + 2.6, look.SHADE),
        Circle(MIDDLE, y, rod + 1.9, look.PAPER),
        Rect(MIDDLE - 0.3, y - rod - 2.6, 0.6, 2.6, look.GREEN, title="upright"),
        Line(((MIDDLE, y), seen), look.INK, 2.2),
        Circle(*seen, 2.4, look.GOLD),
        Circle(MIDDLE, y, 1.3, look.PAPER, look.INK, 0.7),
    ]
    if noisy:
        body += [
            Line(((MIDDLE, y), tip), look.SECRET, 0.6, hidden=True),
            Circle(*tip, 2.4, "", look.SECRET, 0.5, hidden=True),
        ]
    body += _turn(angle, speed, y, 0.6 * rod)
    body += [
        Text(3, look.HEAD + 33.5, f"cos {cos:+.2f}", look.MUTED, 1.7, "start"),
        Text(look.WIDTH - 3, look.HEAD + 33.5, f"sin {sin:+.2f}", look.MUTED, 1.7, "end"),
    ]
    words = "seen through noise; " if noisy else "the angle is shown, "
    return look.frame(env, timestep, int(state.time), f"{words}the speed is hidden", body)


def _turn(angle: float, speed: float, y: float, radius: float) -> list[Shape]:
    """The speed, as an arc ahead of the tip."""
    if abs(speed) < 0.2:
        return []
    sweep = 1.2 * speed / MAX_SPEED
    points = [
        (
            MIDDLE + radius * math.sin(angle + sweep * i / 12),
            y - radius * math.cos(angle + sweep * i / 12),
        )
        for i in range(13)
    ]
    (x0, y0), (x1, y1) = points[-2:]
    return [
        Line(tuple(points), look.SECRET, 0.6, hidden=True),
        *look.arrow(x0, y0, 3 * (x1 - x0), 3 * (y1 - y0), look.SECRET, hidden=True),
    ]
