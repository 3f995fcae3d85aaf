"""The file of each family, and what is asked of it.

`law(env)` is the law of its next token, where there is one. `code_lengths(env, episodes)`, where a
file has its own, are the nats `[N]` of each of the played episodes under the exact law or, where
`BOUND` names one, under a predictor whose loss is an upper bound of the floor; elsewhere they
follow from the law. Where not `POLICY_MATTERS` all episodes have the same, `nats_per_episode(env)`,
and `without_memory(env)` is what a predictor without memory pays.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from jaxtyping import Float

from popjax.core import Environment
from popjax.floors import (
    battleship,
    concentration,
    control,
    decks,
    labyrinth,
    minesweeper,
    multiarmed_bandit,
)
from popjax.floors.base import Law, surprise
from popjax.players import Episodes

FLOORS: dict[str, ModuleType] = {
    "Autoencode": decks,
    "Battleship": battleship,
    "Concentration": concentration,
    "CountRecall": decks,
    "HigherLower": decks,
    "LabyrinthEscape": labyrinth,
    "LabyrinthExplore": labyrinth,
    "MineSweeper": minesweeper,
    "MultiarmedBandit": multiarmed_bandit,
    "NoisyPositionOnlyCartPole": control,
    "NoisyPositionOnlyPendulum": control,
    "PositionOnlyCartPole": control,
    "PositionOnlyPendulum": control,
    "RepeatFirst": decks,
    "RepeatPrevious": decks,
    "VelocityOnlyCartPole": control,
}


def make_law(env: Environment) -> Law:
    """How likely each next token is, given the history.

    >>> import jax, popjax
    >>> law = make_law(popjax.make("RepeatFirstEasy"))
    >>> (51 * jax.numpy.exp(law.log_probs(law.begin(2), 0))).round().astype(int).tolist()
    [13, 13, 12, 13]
    """
    if not hasattr(FLOORS[env.name], "law"):
        raise ValueError(f"no law of the next view in {env.name} can be computed, only a bound")
    return FLOORS[env.name].law(env)


def code_lengths(env: Environment, episodes: Episodes) -> Float[np.ndarray, " N"]:
    """Nats of all tokens of each episode, after its first observation, in float64: the floor on
    these very episodes, or an upper bound of it. Labyrinths need episodes played with
    `keep_states`."""
    if hasattr(FLOORS[env.name], "code_lengths"):
        return FLOORS[env.name].code_lengths(env, episodes)
    return surprise(make_law(env), episodes).sum(0)
