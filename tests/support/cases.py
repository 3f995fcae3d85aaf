"""Cases of a law that are checked by default, and the others of their kind, which are slow."""

import pytest


def default(names, *chosen):
    """Cases for `parametrize`: all `names`, of which the `chosen` are checked by default."""
    assert set(chosen) <= set(names), set(chosen) - set(names)
    return [pytest.param(n, marks=[] if n in chosen else pytest.mark.slow) for n in names]
