"""The interface of a family's floor, which is one module.

`law(env)` is the law of its next token, where there is one. `code_lengths(env, episodes)`, where a
module has its own, are the nats `[N]` of each of the played episodes under the exact law or, where
`BOUND` names one, under a predictor whose loss is an upper bound of the floor; elsewhere they
follow from the law. Where actions change nothing that is seen all episodes have the same,
`nats_per_episode(env)`, and `without_memory(env)` is what a predictor without memory pays.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np
from jaxtyping import Float

from popjax.core import Environment
from popjax.families import family_of
from popjax.floors.base import Law, surprise
from popjax.players import Episodes


def floor_of(env: Environment) -> ModuleType:
    """The module of the environment's floor."""
    module = family_of(env).floor
    if module is None:
        raise ValueError(f"no floor of {env.name} is known")
    return module


def has_law(env: Environment) -> bool:
    """The law of the next token can be computed."""
    return hasattr(family_of(env).floor, "law")


def make_law(env: Environment) -> Law:
    """How likely each next token is, given the history.

    >>> import jax, popjax
    >>> law = make_law(popjax.make("RepeatFirstEasy"))
    >>> (51 * jax.numpy.exp(law.log_probs(law.begin(2), 0))).round().astype(int).tolist()
    [13, 13, 12, 13]
    """
    if not hasattr(floor_of(env), "law"):
        raise ValueError(f"no law of the next view in {env.name} can be computed, only a bound")
    return floor_of(env).law(env)


def code_lengths(env: Environment, episodes: Episodes) -> Float[np.ndarray, " N"]:
    """Nats of all tokens of each episode, after its first observation, in float64: the floor on
    these very episodes, or an upper bound of it. Where the family's `floor_needs_states` the
    episodes are played with `keep_states`."""
    if hasattr(floor_of(env), "code_lengths"):
        return floor_of(env).code_lengths(env, episodes)
    return surprise(make_law(env), episodes).sum(0)
