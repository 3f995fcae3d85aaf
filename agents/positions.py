"""The steps at which an action can be right."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool

from popjax.core import Environment
from popjax.families import family_of


def answerable(env: Environment, obs: Array, t: Any) -> Bool[Array, ""]:
    """`[]` bool, the action at step t of an episode can be rewarded. Elsewhere no action is right,
    and a label would be arbitrary.

    >>> import popjax
    >>> [bool(answerable(popjax.make("RepeatPreviousEasy"), 0, t)) for t in range(5)]
    [False, False, False, True, True]
    """
    rule = family_of(env).answerable
    return jnp.asarray(True) if rule is None else rule(env, obs, t)
