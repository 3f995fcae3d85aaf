"""Scenes of the card games: what lies on the table, and what one ought to remember."""

from __future__ import annotations

import math

import numpy as np

from popjax import cards
from popjax.core import TimeStep
from popjax.envs.autoencode import PLAY, Autoencode
from popjax.envs.concentration import NONE, Concentration
from popjax.envs.count_recall import CountRecall
from popjax.envs.higher_lower import HigherLower
from popjax.envs.repeat_first import RepeatFirst
from popjax.envs.repeat_previous import RepeatPrevious
from popjax.fields import MOST_ROWS
from popjax.render import look
from popjax.render.scene import Scene
from popjax.render.shapes import Rect, Shape, Text

TABLE = 44, 9, 15, 21  # where the card just dealt lies: x, y, width, height
DECK = 34.0  # the upper edge of the cards to come


def repeat_previous(env: RepeatPrevious, state, timestep: TimeStep) -> Scene:
    left = cards.counts(np.asarray(state.deck))
    dealt = env.num_cards - int(left.sum())
    held = _suits(state.hand, min(dealt, env.k), env.deck.bits)[1:][::-1]
    asking = dealt >= env.k and not timestep.last
    words = f"which suit, {_cards(env.k - 1)} ago?" if asking else "nothing is asked yet"
    body = [
        *_hand(held, env.deck.kinds, 0 if asking else None),
        *look.kind_card(*TABLE, int(timestep.obs), env.deck.kinds),
        *_to_come(left, env.deck.each),
    ]
    return look.frame(env, timestep, dealt - 1, _unless_over(timestep, words), body)


def repeat_first(env: RepeatFirst, state, timestep: TimeStep) -> Scene:
    left = cards.counts(np.asarray(state.deck))
    dealt = env.num_cards - int(left.sum())
    x, y, width, height = 8, *TABLE[1:]
    body = [
        *look.back(x, y, width, height, asked=True),
        *_revealed(x, y, width, height, int(state.asked), env.deck.kinds),
        Text(33.5, y + height / 2, _cards(dealt - 1), look.MUTED, 1.8),
        Text(33.5, y + height / 2 + 2.4, "ago", look.MUTED, 1.8),
        *look.kind_card(*TABLE, int(timestep.obs), env.deck.kinds),
        *_to_come(left, env.deck.each),
    ]
    words = _unless_over(timestep, "which suit did the first card have?")
    return look.frame(env, timestep, dealt - 1, words, body)


def autoencode(env: Autoencode, state, timestep: TimeStep) -> Scene:
    left = cards.counts(np.asarray(state.deck))
    num_held, to_come = int(state.held), int(left.sum())
    mode, suit = (int(part) for part in timestep.obs)
    watched = env.num_cards - to_come
    recited = watched - num_held if mode == PLAY else 0
    held = _suits(state.hand, num_held, env.deck.bits)[::-1]
    asked = num_held - 1 if mode == PLAY else None
    on_table = look.kind_card(*TABLE, suit, env.deck.kinds) if recited == 0 else _empty(*TABLE)
    words = "recite: which suit comes next, backwards?" if mode == PLAY else "watch"
    body = [*_hand(held, env.deck.kinds, asked), *on_table, *_to_come(left, env.deck.each)]
    steps = watched - 1 + recited
    return look.frame(env, timestep, steps, _unless_over(timestep, words), body)


def count_recall(env: CountRecall, state, timestep: TimeStep) -> Scene:
    left = cards.counts(np.asarray(state.decks))[0]
    shown = env.cards_of_a_kind - left
    dealt, queried = (int(kind) for kind in timestep.obs)
    kinds = env.num_kinds
    x, y, width, height = 9, *TABLE[1:]
    x_query = TABLE[0] - 4
    body = [
        *look.kind_card(x, y, width, height, dealt, kinds),
        Text(x + width / 2, y + height + 2.0, "just dealt", look.MUTED, 1.8),
        Rect(x_query - 0.8, y - 0.8, width + 1.6, height + 1.6, look.GOLD, round=2),
        *look.kind_card(x_query, y, width, height, queried, kinds),
        Text(x_query + width / 2, y + height + 2.0, "how many so far?", look.MUTED, 1.8),
        *look.deck(DECK, int(left.sum()), env.num_cards),
        *look.tallies(DECK, "so far", shown.tolist(), env.cards_of_a_kind),
    ]
    steps = int(shown.sum()) - 1
    words = _unless_over(timestep, "how many of the second kind came by?")
    return look.frame(env, timestep, steps, words, body)


def higher_lower(env: HigherLower, state, timestep: TimeStep) -> Scene:
    left = cards.counts(np.asarray(state.deck))
    x, y, width, height = 9, *TABLE[1:]
    middle, next_card = y + height / 2, (TABLE[0] - 2, y, width, height)
    body = [
        *look.kind_card(x, y, width, height, int(timestep.obs), env.deck.kinds),
        *look.arrow(33, middle - 1.5, 0, -5.5, look.GREEN),
        *look.arrow(33, middle + 1.5, 0, 5.5, look.RED),
        Text(33, middle - 8.6, "higher", look.MUTED, 1.6),
        Text(33, middle + 8.6, "lower", look.MUTED, 1.6),
        *(look.back(*next_card, asked=True) if left.any() else _empty(*next_card)),
        *_to_come(left, env.deck.each),
    ]
    steps = env.num_cards - int(left.sum()) - 1
    words = _unless_over(timestep, "is the next card higher or lower?")
    return look.frame(env, timestep, steps, words, body)


def concentration(env: Concentration, state, timestep: TimeStep) -> Scene:
    columns, pitch_x = 13, 5
    rows = -(-env.num_cards // columns)
    pitch_y = 8 if rows <= 4 else 6
    width, height = pitch_x - look.GAP, pitch_y - 1 - look.GAP if rows <= 4 else pitch_y - look.GAP
    body: list[Shape] = []
    for row in range(rows if rows <= MOST_ROWS else 0):
        at = look.HEAD + 3 + pitch_y * row + height / 2
        body.append(Text(1.3, at, chr(ord("a") + row), look.MUTED, 1.6))
    for column in range(min(columns, env.num_cards)):
        at = 3 + pitch_x * column + width / 2
        body.append(Text(at, look.HEAD + 1.6, str(column), look.MUTED, 1.6))
    for place in range(env.num_cards):
        row, column = divmod(place, columns)
        x, y = 3 + pitch_x * column, look.HEAD + 3 + pitch_y * row
        seen, kind = int(timestep.obs[place]), int(state.layout[place])
        if seen < env.num_kinds:
            if place in state.turned and not state.matched[place]:
                edge = 0.55
                frame = x - edge, y - edge, width + 2 * edge, height + 2 * edge
                body.append(Rect(*frame, look.GOLD, round=0.6))
            body += look.kind_card(x, y, width, height, seen, env.num_kinds)
            continue
        body += look.back(x, y, width, height)
        body += look.card(x, y, width, height, look.SECRET_PALE, hidden=True)
        middle = x + width / 2, y + height / 2
        body.append(look.kind_sign(*middle, kind, env.num_kinds, 2.6, hidden=True))
    found = int(np.sum(state.matched)) // 2
    words = f"{found} of {env.num_cards // 2} pairs found"
    first, second = (int(place) for place in state.turned)
    if first != NONE and second == NONE and not state.matched[first] and not timestep.last:
        words += "; turn a second card"
    size = pitch_x * columns + 6, max(look.BODY, pitch_y * rows + 4)
    return look.frame(env, timestep, int(state.time), words, body, *size)


def _cards(number: int) -> str:
    return f"{number} card{'' if number == 1 else 's'}"


def _unless_over(timestep: TimeStep, words: str) -> str:
    return "no card is left" if timestep.last else words


def _suits(hand, size: int, bits: int) -> list[int]:
    """The newest `size` suits of a packed hand, newest first."""
    words = np.asarray(hand)
    place = bits * np.arange(cards.WORD // bits, dtype=np.uint32)
    return ((words[:, None] >> place) & (2**bits - 1)).reshape(-1)[:size].tolist()


def _hand(suits: list[int], kinds: int, asked: int | None) -> list[Shape]:
    """Cards one has seen, oldest first, face down; their suits are hidden. `asked` is the index of
    the one to be named."""
    if not suits:
        return []
    x, y, width, height = 3, 6, 39, 27
    for pitch_y in range(16, 2, -1):
        pitch_x = round(0.74 * pitch_y)
        columns = width // pitch_x
        rows = math.ceil(len(suits) / columns)
        if rows * pitch_y <= height:
            break
    card_width, card_height = pitch_x - look.GAP, pitch_y - look.GAP
    top = y + (height - rows * pitch_y) // 2
    shapes: list[Shape] = []
    for i, suit in enumerate(suits):
        row, column = divmod(i, columns)
        at = x + pitch_x * column, top + pitch_y * row
        shapes += look.back(*at, card_width, card_height, asked=i == asked)
        shapes += _revealed(*at, card_width, card_height, suit, kinds)
    return shapes


def _revealed(x, y, width, height, kind: int, kinds: int) -> list[Shape]:
    edge = 0.09 * width
    return [
        Rect(
            x + edge,
            y + edge,
            width - 2 * edge,
            height - 2 * edge,
            look.SECRET_PALE,
            round=0.06 * width,
            hidden=True,
        ),
        look.kind_sign(x + width / 2, y + height / 2, kind, kinds, 0.6 * width, hidden=True),
    ]


def _to_come(left: np.ndarray, most: int) -> list[Shape]:
    """How many cards are to come, and, hidden, how many of each kind."""
    return [
        *look.deck(DECK, int(left.sum()), most * left.size),
        *look.tallies(DECK, "to come", left.tolist(), most),
    ]


def _empty(x: float, y: float, width: float, height: float) -> list[Shape]:
    """A place without a card."""
    return [Rect(x, y, width, height, look.SHADE, look.LINE, 0.2, 0.1 * width)]
