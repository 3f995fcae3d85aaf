"""Messages for unknown names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, words: Iterable[str], kind: str) -> str:
    """One line that says that there is no such word, and which is the nearest right one.

    >>> nearest("grue", ["gru", "lstm"], "memory")
    "no memory is called 'grue': did you mean 'gru'?"
    """
    words = list(words)
    lower = {w.lower(): w for w in words}
    close = difflib.get_close_matches(word.lower(), lower, n=1, cutoff=0.4)
    hint = f"did you mean {lower[close[0]]!r}?" if close else f"there are {', '.join(words)}"
    return f"no {kind} is called {word!r}: {hint}"
