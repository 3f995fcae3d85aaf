"""Messages for unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

FEW = 12  # words that a line can hold


def nearest(word: str, words: Iterable[str], kind: str, most: int = 1) -> str:
    """One line that says that there is no such word, and which are the nearest right ones.

    most: how many of them are named. Where none is near, all are named if they are few.

    >>> nearest("grue", ["gru", "lstm"], "memory")
    "no memory is called 'grue': did you mean 'gru'?"
    >>> nearest("maze", ["tmaze", "mazes", "bandit"], "environment", most=2)
    "no environment is called 'maze': did you mean 'tmaze' or 'mazes'?"
    """
    words = list(words)
    lower = {w.lower(): w for w in words}
    cutoff = 0.4 if most == 1 or len(words) <= FEW else 0.0
    close = difflib.get_close_matches(word.lower(), lower, n=most, cutoff=cutoff)
    near = [repr(lower[name]) for name in close]
    if near:
        hint = f"did you mean {', '.join(near[:-1])}{' or ' if near[:-1] else ''}{near[-1]}?"
    else:
        hint = f"there are {', '.join(words)}"
    return f"no {kind} is called {word!r}: {hint}"
