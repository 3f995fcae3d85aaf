"""Scenes of the boards: shots and opened cells as the agent knows them, the rest face down."""

from __future__ import annotations

import numpy as np

from popjax.core import TimeStep
from popjax.envs.battleship import Battleship
from popjax.envs.minesweeper import MineSweeper
from popjax.envs.multiarmed_bandit import MultiarmedBandit
from popjax.render import look
from popjax.render.scene import Scene
from popjax.render.shapes import Circle, Rect, Shape, Symbol, Text

SEA, SEA_DEEP = "#a9c4d6", "#9dbace"
SHIP = "#56657a"
COUNT_COLOURS = ("#857d6d", "#3a6ea5", "#3f8257", "#bf4340", "#7d5ba6", "#8c4a2f", "#2f8a8a")


def battleship(env: Battleship, state, timestep: TimeStep) -> Scene:
    cell, left, top = 4, 7, look.HEAD + 3
    body = _labels(env.size, cell, left, top)
    for row, column in np.ndindex(env.size, env.size):
        x, y = left + cell * column, top + cell * row
        ship, shot = bool(state.board[row, column]), bool(state.shots[row, column])
        middle = x + cell / 2, y + cell / 2
        fill = SEA_DEEP if (row + column) % 2 else SEA
        body.append(Rect(x, y, cell, cell, fill))
        if ship and shot:
            body.append(Rect(x + 0.3, y + 0.3, cell - 0.6, cell - 0.6, SHIP, round=0.6))
            body.append(Circle(*middle, 0.3 * cell, look.RED, title="hit"))
        elif shot:
            body.append(Circle(*middle, 0.19 * cell, look.CARD, title="miss"))
        elif ship:
            body.append(
                Rect(x + 0.3, y + 0.3, cell - 0.6, cell - 0.6, look.SECRET, round=0.6, hidden=True)
            )
    x = left + cell * env.size + 3
    body += _fleet(env, state, x, top)
    side = cell * env.size + 3
    words = "where to shoot?"
    if state.time:
        words = "a hit" if timestep.obs else "no hit"
    if timestep.terminated:
        words = "the fleet is sunk"
    width = max(look.WIDTH, x + 17)
    return look.frame(env, timestep, int(state.time), words, body, width, max(look.BODY, side))


def _fleet(env: Battleship, state, x: float, y: float) -> list[Shape]:
    """The lengths of the ships, and how many of their cells are hit."""
    shapes: list[Shape] = [Text(x, y + 1, "the fleet", look.MUTED, 1.8, "start")]
    for i, length in enumerate(env.ships):
        for j in range(length):
            shapes.append(Rect(x + 3 * j, y + 4 + 4 * i, 2.45, 2.45, SHIP, round=0.5))
    y = y + 4 + 4 * len(env.ships) + 2
    shapes += [
        Text(x, y, f"{int(state.hits)} of {env.ship_cells}", look.INK, 2.4, "start", bold=True),
        Text(x, y + 2.8, "cells hit", look.MUTED, 1.8, "start"),
        Text(x, y + 5.2, f"{int(np.sum(state.shots))} shot at", look.MUTED, 1.8, "start"),
    ]
    return shapes


def minesweeper(env: MineSweeper, state, timestep: TimeStep) -> Scene:
    cell = 8 if env.size <= 4 else 6 if env.size <= 6 else 4
    left, top = 7, look.HEAD + 3
    mines, viewed = np.asarray(state.mines), np.asarray(state.viewed)
    padded = np.pad(mines, 1).astype(int)
    around = sum(
        padded[1 + i : 1 + i + env.size, 1 + j : 1 + j + env.size]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    )
    body = _labels(env.size, cell, left, top)
    for row, column in np.ndindex(env.size, env.size):
        x, y = left + cell * column, top + cell * row
        place = x, y, cell - look.GAP, cell - look.GAP
        middle = x + place[2] / 2, y + place[3] / 2
        if viewed[row, column]:
            number = int(around[row, column])
            colour = COUNT_COLOURS[min(number, len(COUNT_COLOURS) - 1)]
            body.append(Rect(*place, look.CARD, look.LINE, 0.15, 0.1 * cell))
            body.append(Text(*middle, str(number), colour, 0.5 * cell, bold=True))
        else:
            body.append(Rect(*place, look.BACK, round=0.1 * cell))
            body.append(
                Rect(place[0], place[1], place[2], 0.8 * place[3], look.BACK_PALE, round=0.1 * cell)
            )
        if mines[row, column]:
            body.append(Rect(*place, look.SECRET_PALE, round=0.1 * cell, hidden=True))
            body.append(Symbol("mine", *middle, 0.6 * cell, look.SECRET, hidden=True))
    x = left + cell * env.size + 3
    open_cells = int(viewed.sum())
    body += [
        Symbol("mine", x + 1.2, top + 1.4, 2.6, look.INK),
        Text(x + 3.6, top + 1.2, f"{env.num_mines} mines", look.INK, 1.8, "start"),
        Text(x, top + 6, f"{open_cells} of {env.max_steps}", look.INK, 2.4, "start", bold=True),
        Text(x, top + 8.8, "cells open", look.MUTED, 1.8, "start"),
        Text(x, top + 14, "last count", look.MUTED, 1.8, "start"),
        Text(x, top + 17.6, str(int(timestep.obs)), look.BLUE, 4, "start", bold=True),
    ]
    words = "which cell has no mine?"
    if timestep.terminated:
        words = "all clear cells are open" if open_cells == env.max_steps else "a mine!"
    elif timestep.truncated:
        words = "no steps are left"
    side = cell * env.size + 3
    return look.frame(
        env,
        timestep,
        int(state.time),
        words,
        body,
        max(look.WIDTH, x + 17),
        max(look.BODY, side),
    )


def multiarmed_bandit(env: MultiarmedBandit, state, timestep: TimeStep) -> Scene:
    top, height = look.HEAD + 2, 22
    pitch = max(60 // env.num_arms, 2)
    wide = max(look.WIDTH, pitch * env.num_arms + 4)
    left, middle = (wide - pitch * env.num_arms) // 2, wide // 2
    width = 4 if pitch > 5 else pitch - look.GAP
    body: list[Shape] = []
    arms = zip(*map(np.asarray, (state.payoffs, state.pulls, state.wins)), strict=True)
    for arm, (payoff, pulls, wins) in enumerate(arms):
        x = left + pitch * arm + (pitch > 5)
        full = height * float(payoff)
        body += [
            Rect(x, top, width, height, look.BACK, round=0.3 * width),
            Rect(
                x + 0.12 * width,
                top + 0.12 * width,
                0.76 * width,
                height - 0.24 * width,
                look.BACK_PALE,
                round=0.2 * width,
            ),
            Text(x + width / 2, top + height / 2, "?", look.CARD, min(3.2, width), bold=True),
            Rect(x, top, width, height, look.SHADE, round=0.3 * width, hidden=True),
            Rect(
                x,
                top + height - full,
                width,
                full,
                look.SECRET,
                round=min(0.3 * width, full / 2),
                hidden=True,
                title=f"pays {payoff:.0%}; {wins} of {pulls} pulls paid",
            ),
        ]
        if pulls:
            size = min(1.6, 0.52 * pitch)
            for row, number in enumerate((wins, pulls)):
                y = top + height + 3.6 + 2 * row
                body.append(Text(x + width / 2, y, str(number), look.SECRET, size, hidden=True))
        if env.num_arms <= 10 or arm % 5 == 0:
            body.append(Text(x + width / 2, top + height + 1.6, str(arm), look.MUTED, 1.7))
    if int(state.time):
        paid = bool(timestep.obs)
        y = top + height + 9
        words = "paid, of pulls"
        body += [
            Text(left, y, words, look.SECRET, 1.7, anchor="start", hidden=True),
            Circle(middle, y, 2.2, look.GOLD if paid else look.SHADE, look.LINE),
            Text(
                middle, y, "1" if paid else "0", look.CARD if paid else look.MUTED, 2.4, bold=True
            ),
        ]
    words = "which arm to pull?"
    if int(state.time):
        words = "it paid" if timestep.obs else "it did not pay"
    return look.frame(env, timestep, int(state.time), words, body, wide)


def _labels(size: int, cell: float, left: float, top: float) -> list[Shape]:
    """Letters for rows and numbers for columns."""
    return [
        shape
        for i in range(size)
        for shape in (
            Text(left - 1.6, top + cell * (i + 0.5), chr(ord("a") + i), look.MUTED, 1.6),
            Text(left + cell * (i + 0.5), top - 1.2, str(i), look.MUTED, 1.6),
        )
    ]
