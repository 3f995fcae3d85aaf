"""How a person types an action: which keys there are, what they mean, and what was wrong."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TextIO

from popjax.core import Environment
from popjax.families import family_of
from popjax.fields import MOST_ROWS
from popjax.spaces import Box, Discrete

Words = Generator[str, None, None]

ARROWS = {"\x1b[A": "up", "\x1b[B": "down", "\x1b[C": "right", "\x1b[D": "left"}
ARROWS |= {code.replace("[", "O"): name for code, name in ARROWS.items()}  # application mode

SUITS = {"s": (0, "spades"), "d": (1, "diamonds"), "c": (2, "clubs"), "h": (3, "hearts")}
BETS = {"h": (0, "higher"), "l": (1, "lower")}
PUSHES = {"left": (0, "push left"), "right": (1, "push right")}
MOVES = {"left": (0, "left"), "right": (1, "right"), "up": (2, "up"), "down": (3, "down")}
SIGNS = dict(zip("♠♦♣♥", SUITS, strict=True))  # as cards have them
CARDS_A_ROW = 13  # as `popjax.render` lays out Concentration
LETTERS = {"a": "left", "d": "right", "w": "up", "s": "down"}


@dataclass(frozen=True)
class Keys:
    """What may be typed.

    explanation: one line for the player.
    single: one keystroke is an action; else a line is.
    read: a word as an action; a ValueError of one line where it is none.
    """

    explanation: str
    single: bool
    read: Callable[[str], Any]


def keys_of(env: Environment) -> Keys:
    """The keys of an environment.

    >>> import popjax
    >>> keys_of(popjax.make("RepeatFirstEasy")).explanation
    's spades, d diamonds, c clubs, h hearts'
    >>> keys_of(popjax.make("BattleshipEasy")).read("2 7")
    [2, 7]
    """
    keys = family_of(env).keys
    return keys(env) if keys else by_space(env)


def by_space(env: Environment) -> Keys:
    """Numbers, as the action space has them."""
    space = env.action_space
    if isinstance(space, Box):
        return _reals(space)
    return _places(space) if space.shape == (2,) else _integers(space)


def suits(env: Environment) -> Keys:
    """The letter of a suit, where there are four; else the number of a kind."""
    four = env.action_space.sizes == len(SUITS)
    return _named(SUITS, env.action_space.sizes) if four else by_space(env)


def bets(env: Environment) -> Keys:
    """Higher or lower."""
    return _named(BETS, env.action_space.sizes)


def pushes(env: Environment) -> Keys:
    """To the left or to the right."""
    return _named(PUSHES, env.action_space.sizes)


def moves(env: Environment) -> Keys:
    """In one of four directions."""
    return _named(MOVES, env.action_space.sizes)


def table(env: Environment) -> Keys:
    """A card on the table by row and column, as long as there are letters for the rows."""
    size = env.action_space.sizes
    return _cards(size) if -(-size // CARDS_A_ROW) <= MOST_ROWS else by_space(env)


def _named(names: dict[str, tuple[int, str]], size: int) -> Keys:
    """Single keys with a meaning; arrows are also letters, and all are also numbers, words and the
    signs on cards."""
    meaning = {name: action for name, (action, _) in names.items()}
    if "left" in names:
        meaning |= {letter: meaning[name] for letter, name in LETTERS.items() if name in meaning}
        letters = ", ".join(letter for letter, name in LETTERS.items() if name in names)
        words = ", ".join(about for _, about in names.values())
        explanation = f"the arrow keys or {letters}: {words}"
    else:
        explanation = ", ".join(f"{name} {about}" for name, (_, about) in names.items())
    meaning |= {str(action): action for action in range(size)}
    meaning |= {about: action for action, about in names.values()}
    meaning |= {about.removesuffix("s"): action for action, about in names.values()}
    meaning |= {sign: meaning[name] for sign, name in SIGNS.items() if names is SUITS}

    def read(word: str) -> int:
        word = ARROWS.get(word, word)
        if word.lower() not in meaning:
            raise ValueError(f"{_shown(word)} is no key here: {explanation}")
        return meaning[word.lower()]

    return Keys(explanation, True, read)


def _integers(space: Discrete) -> Keys:
    if not space.shape:
        return Keys(
            f"a number from 0 to {space.sizes - 1}",
            False,
            lambda word: _numbers(word, int, [0], [space.sizes - 1])[0],
        )
    most = [n - 1 for n in space.sizes]
    explanation = f"{len(most)} numbers from 0 up to {', '.join(map(str, most))}"
    return Keys(explanation, False, lambda word: _numbers(word, int, [0] * len(most), most))


def _places(space: Discrete) -> Keys:
    """Row and column, as a letter and a number or as two numbers."""
    rows, columns = space.sizes
    last = chr(ord("a") + rows - 1)
    explanation = (
        f"row and column, a0 to {last}{columns - 1} (or two numbers, 0 0 to {rows - 1} "
        f"{columns - 1})"
    )
    return Keys(
        explanation,
        False,
        lambda word: _numbers(_unlettered(word), int, [0, 0], [rows - 1, columns - 1]),
    )


def _cards(size: int) -> Keys:
    """A card on the table by row and column, as the picture lays them out, or by its number."""
    rows = -(-size // CARDS_A_ROW)
    last = f"{chr(ord('a') + rows - 1)}{(size - 1) % CARDS_A_ROW}"
    explanation = f"a card by row and column, a0 to {last} (or by its number, 0 to {size - 1})"

    def read(word: str) -> int:
        place = _unlettered(word)
        if place == word:
            return _numbers(word, int, [0], [size - 1])[0]
        row, column = _numbers(place, int, [0, 0], [rows - 1, CARDS_A_ROW - 1])
        number = CARDS_A_ROW * row + column
        return _numbers(str(number), int, [0], [size - 1])[0]

    return Keys(explanation, False, read)


def _unlettered(word: str) -> str:
    """`c7` as `2 7`; any other word as it is."""
    found = re.fullmatch(r"([a-z])\s*(\d+)", word.lower())
    return f"{ord(found[1]) - ord('a')} {found[2]}" if found else word


def _reals(space: Box) -> Keys:
    low, high = list(space.low), list(space.high)
    many = "a number" if len(low) == 1 else f"{len(low)} numbers"
    ranges = ", ".join(f"from {a:g} to {b:g}" for a, b in zip(low, high, strict=True))
    return Keys(f"{many} {ranges}", False, lambda word: _numbers(word, float, low, high))


def _numbers(word: str, kind: Callable[[str], Any], low: list, high: list) -> list:
    """The numbers in a line, if there is one for each bound, within it."""
    parts = re.split(r"[\s,]+", word.strip())
    wanted = "a number" if len(low) == 1 else f"{len(low)} numbers"
    try:
        numbers = [kind(part) for part in parts]
    except ValueError:
        whole = " (a whole one)" if kind is int and len(low) == 1 else ""
        raise ValueError(f"{_shown(word)} is not {wanted}{whole}") from None
    if len(numbers) != len(low):
        raise ValueError(f"{_shown(word)} is not {wanted}")
    for number, a, b in zip(numbers, low, high, strict=True):
        if not (a <= number <= b and math.isfinite(number)):
            raise ValueError(f"{number:g} is not from {a:g} to {b:g}")
    return numbers


def _shown(word: str) -> str:
    return repr(word if len(word) <= 20 else word[:20] + "...")


def lines(stream: TextIO) -> Words:
    """The lines that come in, without the spaces around them."""
    return (line.strip() for line in stream)


def keystrokes(stream: TextIO) -> Words:
    """Single keystrokes of a terminal, as soon as they are struck; an arrow key is one. The
    terminal waits for whole lines again when this generator is closed."""
    import termios
    import tty

    source = stream.fileno()
    before = termios.tcgetattr(source)
    try:
        tty.setcbreak(source, termios.TCSANOW)
        while True:
            struck = os.read(source, 64).decode(errors="replace")
            if struck in ("", "\x04"):  # the end of the input, and Ctrl-D
                return
            while struck:
                size = next((len(code) for code in ARROWS if struck.startswith(code)), 1)
                yield struck[:size]
                struck = struck[size:]
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
