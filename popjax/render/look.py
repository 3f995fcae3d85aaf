"""One look for all pictures: the palette, the frame around a scene, cards, and small signs.

Violet stands for the hidden truth, and is seen only where it is revealed; gold for what is asked
or what the agent holds in its hand; slate blue for the face-down side of things.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from popjax.core import Environment, TimeStep
from popjax.render.scene import Scene
from popjax.render.shapes import Line, Rect, Shape, Symbol, Text
from popjax.render.symbols import SUITS

PAPER = "#f5f1e8"
SHADE = "#e6dfd0"  # wells, tracks, empty places
LINE = "#cfc6b3"
MUTED = "#857d6d"
INK = "#2f3440"
CARD = "#fffefb"
BACK = "#6f87a3"
BACK_PALE = "#90a5bc"
RED = "#bf4340"
GREEN = "#3f8257"
BLUE = "#3a6ea5"
GOLD = "#d99a2b"
SECRET = "#7d5ba6"
SECRET_PALE = "#e4d9f0"

WIDTH, BODY, HEAD, FOOT = 64, 36, 5, 5  # of a scene; a body that needs more makes it larger
GAP = 0.55  # between things set out at whole units: in a terminal it leaves one pixel free

SUIT_COLOURS = (INK, RED, INK, RED)
RANKS = ("A", "2", "3", "4", "5", "6", "7", "8", "9", "10", "J", "Q", "K")


def frame(
    env: Environment,
    timestep: TimeStep,
    steps: int,
    words: str,
    body: Iterable[Shape],
    width: float = WIDTH,
    body_height: float = BODY,
) -> Scene:
    """A scene with its name, how far the episode is, a line of words, and the last reward.

    The body is drawn between y = HEAD and y = HEAD + body_height.
    """
    height = HEAD + body_height + FOOT
    left, right, foot = 3, width - 3, height - 2.5
    share = min(steps / env.max_steps, 1)
    shapes = [
        Text(left, 1.9, env.name, INK, 2.0, "start", bold=True),
        Text(right, 1.9, f"{steps} / {env.max_steps}", MUTED, 1.8, "end"),
        Rect(left, 3.3, right - left, 0.5, LINE, round=0.25),
        *([Rect(left, 3.3, share * (right - left), 0.5, INK, round=0.25)] if steps else []),
        *body,
        Text(left, foot, words, INK, 1.8, "start"),
    ]
    if steps:
        reward = round(float(timestep.reward), 4)
        colour = GREEN if reward > 0 else RED if reward < 0 else MUTED
        end = "the end  " if timestep.last else ""
        shapes.append(Text(right, foot, f"{end}{reward:+.4f}", colour, 1.8, "end", bold=True))
    return Scene(width, height, f"{env.name}, step {steps}", tuple(shapes), PAPER)


def card(
    x: float, y: float, width: float, height: float, fill: str = CARD, hidden: bool = False
) -> list[Shape]:
    """An empty face."""
    corner = 0.1 * width
    face: list[Shape] = [Rect(x, y, width, height, fill, LINE, 0.15, corner, hidden=hidden)]
    if width < 8:
        return face
    return [Rect(x + 0.3, y + 0.35, width, height, LINE, round=corner, hidden=hidden), *face]


def back(x: float, y: float, width: float, height: float, asked: bool = False) -> list[Shape]:
    """A card that lies face down, with a golden edge if it is the one asked for."""
    edge, corner = max(0.09 * width, 0.35 * asked), 0.1 * width
    shapes: list[Shape] = [
        Rect(x, y, width, height, GOLD if asked else BACK, round=corner),
        Rect(
            x + edge,
            y + edge,
            width - 2 * edge,
            height - 2 * edge,
            BACK if asked else BACK_PALE,
            round=0.6 * corner,
        ),
    ]
    if asked:
        size = min(0.7 * width, 0.5 * height)
        shapes.append(Text(x + width / 2, y + height / 2, "?", CARD, size, bold=True))
    return shapes


def suit_card(x: float, y: float, width: float, height: float, suit: int) -> list[Shape]:
    """A card of which the suit alone matters."""
    name, colour = SUITS[suit], SUIT_COLOURS[suit]
    edge, small = 0.16 * width, 0.14 * width
    return [
        *card(x, y, width, height),
        Symbol(name, x + width / 2, y + height / 2, 0.56 * width, colour, title=f"{name}s"),
        Symbol(name, x + edge, y + 1.1 * edge, small, colour),
        Symbol(name, x + width - edge, y + height - 1.1 * edge, small, colour),
    ]


def rank_card(x: float, y: float, width: float, height: float, name: str) -> list[Shape]:
    """A card of which the rank, or a number, alone matters."""
    edge = 0.17 * width
    return [
        *card(x, y, width, height),
        Text(x + width / 2, y + height / 2, name, INK, 0.5 * width, bold=True),
        Text(x + edge, y + 1.2 * edge, name, MUTED, 0.17 * width),
        Text(x + width - edge, y + height - 1.2 * edge, name, MUTED, 0.17 * width),
    ]


def colour_card(x: float, y: float, width: float, height: float, colour: int) -> list[Shape]:
    """A card of which the colour alone matters: black or red."""
    edge = 0.14 * width
    return [
        *card(x, y, width, height),
        Rect(
            x + edge,
            y + edge,
            width - 2 * edge,
            height - 2 * edge,
            SUIT_COLOURS[colour],
            round=0.06 * width,
            title=("black", "red")[colour],
        ),
    ]


def kind_card(x: float, y: float, width: float, height: float, kind: int, kinds: int):
    """A card of one of 2 colours, 4 suits, 13 ranks, or any other number of kinds."""
    if kinds == 2:
        return colour_card(x, y, width, height, kind)
    if kinds == 4:
        return suit_card(x, y, width, height, kind)
    return rank_card(x, y, width, height, kind_name(kind, kinds))


def kind_name(kind: int, kinds: int) -> str:
    """A rank, or the number of a kind that has no sign, from 1."""
    return RANKS[kind] if kinds == len(RANKS) else str(kind + 1)


def kind_sign(
    x: float, y: float, kind: int, kinds: int, size: float = 2.0, colour: str = "", **options
) -> Shape:
    """A kind in the space of a letter."""
    if kinds not in (2, 4):
        return Text(x, y, kind_name(kind, kinds), colour or INK, size, bold=True, **options)
    colour = colour or SUIT_COLOURS[kind]
    if kinds == 4:
        return Symbol(SUITS[kind], x, y, size, colour, **options)
    return Rect(
        x - 0.4 * size, y - 0.5 * size, 0.8 * size, size, colour, round=0.1 * size, **options
    )


def deck(y: float, left: int, most: int) -> list[Shape]:
    """The cards to come, side by side, at the foot of the body."""
    x, width, height = 16.0, WIDTH - 19.0, 4.4
    shapes: list[Shape] = [Text(3, y + height / 2, f"{left} to come", MUTED, 1.6, "start")]
    if not left:
        return shapes
    pitch = width / most
    edges = min(left, 52)
    shown = pitch * left / edges
    for i in range(edges):
        shapes.append(Rect(x + i * shown, y, 3.1, height, BACK_PALE, BACK, 0.2, 0.4))
    return shapes


def tallies(
    y: float, label: str, counts: Sequence[int], most: int, width: float = WIDTH
) -> list[Shape]:
    """Hidden counts of each kind in place of the deck: bars with a sign and a number."""
    kinds = len(counts)
    left, right, height = 14.0, width - 2.0, 3.2
    pitch = (right - left) / kinds
    wide = min(0.72 * pitch, 7.0)
    shapes: list[Shape] = [
        Rect(0, y - 0.9, width, 8, PAPER, hidden=True),
        Text(3, y + 2.2, label, SECRET, 1.6, "start", hidden=True),
    ]
    for kind, count in enumerate(counts):
        x = left + kind * pitch + (pitch - wide) / 2
        bar = height * count / most
        middle = x + wide / 2
        shapes += [
            Rect(x, y + height - bar, wide, bar, SECRET_PALE, round=0.2, hidden=True),
            Text(middle, y + height - 0.9, str(count), SECRET, 1.5, hidden=True),
            kind_sign(middle, y + height + 1.5, kind, kinds, 1.7, hidden=True),
        ]
    return shapes


def arrow(x: float, y: float, dx: float, dy: float, colour: str, **options) -> list[Shape]:
    """From (x, y), with a head."""
    length = (dx * dx + dy * dy) ** 0.5
    if length < 0.3:
        return []
    ux, uy = dx / length, dy / length
    head = min(1.4, length)
    tip = (x + dx, y + dy)
    barbs = [
        (tip[0] - head * (ux * 0.8 + side * uy * 0.6), tip[1] - head * (uy * 0.8 - side * ux * 0.6))
        for side in (1, -1)
    ]
    return [
        Line(((x, y), tip), colour, 0.5, **options),
        Line((barbs[0], tip, barbs[1]), colour, 0.5, **options),
    ]
