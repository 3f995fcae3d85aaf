"""Where an answer can be right, and whether a reward says that it was."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool

from popjax.core import Environment
from popjax.envs.autoencode import PLAY, Autoencode
from popjax.envs.repeat_previous import RepeatPrevious

REWARDS_ARE_VERDICTS = ("Autoencode", "CountRecall", "RepeatFirst", "RepeatPrevious")
"""The families that pay one thing for the oracle's action and another for every other."""


def answerable(env: Environment, obs: Array, t: Any) -> Bool[Array, ""]:
    """`[]` bool, the action at step t of an episode can be paid for. Elsewhere no answer is right,
    and a label there would teach an invention.

    >>> import popjax
    >>> [bool(answerable(popjax.make("RepeatPreviousEasy"), 0, t)) for t in range(5)]
    [False, False, False, True, True]
    """
    if isinstance(env, RepeatPrevious):
        return jnp.asarray(t) >= env.k - 1
    if isinstance(env, Autoencode):
        return obs[0] == PLAY
    return jnp.asarray(True)
