"""The exact law of the next observation, and the entropy floors that follow from it, in nats.

A language model of a task can do no better than the law itself, so its loss is read as the excess
over the floor. One file a family; `FLOORS` names it, `make_law` and `floors` ask it.
"""

from __future__ import annotations

from types import ModuleType

from popjax.core import Environment
from popjax.floors import concentration, decks, multiarmed_bandit
from popjax.floors.base import Law, log_probs_along, surprise

FLOORS: dict[str, ModuleType] = {
    "Autoencode": decks,
    "Concentration": concentration,
    "CountRecall": decks,
    "HigherLower": decks,
    "MultiarmedBandit": multiarmed_bandit,
    "RepeatFirst": decks,
    "RepeatPrevious": decks,
}


def make_law(env: Environment) -> Law:
    """How likely the next observation is, given the history.

    >>> import jax, popjax
    >>> law = make_law(popjax.make("RepeatFirstEasy"))
    >>> jax.numpy.exp(law.log_probs(law.begin(2), 0)).round(3).tolist()
    [0.255, 0.255, 0.235, 0.255]
    """
    return FLOORS[env.name].law(env)


__all__ = ["FLOORS", "Law", "log_probs_along", "make_law", "surprise"]
