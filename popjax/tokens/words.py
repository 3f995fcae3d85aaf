"""What the tokens of an environment stand for, in words."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array

from popjax.core import Environment
from popjax.families import family_of
from popjax.spaces import Box
from popjax.tokens.levels import levels_of
from popjax.tokens.targets import target_of

Numbers = np.ndarray


@dataclass(frozen=True)
class Words:
    """The words of one environment; each family has its own."""

    env: Environment

    def observation(self, component: int, value: int) -> str:
        """Of one value of a component of the observation as it is written."""
        return f"sees {value} in {component}"

    def action(self, value: int) -> str:
        """Of one action."""
        return f"does {value}"

    def actions(self) -> list[str]:
        """One for each action; nine torques stand for all of them."""
        return [self.action(value) for value in range(levels_of(self.env).num_values)]

    def tokens(self) -> list[str]:
        """One for each value of a component of the token that is predicted; bins have numbers."""
        size = target_of(self.env).sizes[0]
        if isinstance(self.env.observation_space, Box):
            return [str(value) for value in range(size)]
        return [self.observation(0, value) for value in range(size)]

    def components(self) -> list[str]:
        """What each component of the token is called; one component needs no name."""
        size = len(target_of(self.env).sizes)
        if size == 1 and not isinstance(self.env.observation_space, Box):
            return [""]
        return [self.observation(i, 0).rpartition(" bin")[0] for i in range(size)]

    def token(self, token: Numbers) -> str:
        """Of a whole token, `[m]` int."""
        if isinstance(self.env.observation_space, Box):
            named = zip(self.components(), token, strict=True)
            return ", ".join(f"{name} {value}" for name, value in named)
        return self.tokens()[token[0]]

    def first(self, obs: Array) -> str:
        """Of the observation that an episode begins with, unbatched."""
        written = family_of(self.env).written(self.env)
        return self.token(np.asarray(written.encode(obs, True)))


def words_of(env: Environment) -> Words:
    """The words of an environment.

    >>> import popjax
    >>> words = words_of(popjax.make("MultiarmedBanditEasy"))
    >>> words.tokens(), words.action(0)
    (['refused', 'paid'], 'pull arm 1')
    """
    return family_of(env).words(env)


def place(cell: int, size: int) -> str:
    """Row and column, counted from 1."""
    return f"{cell // size + 1}/{cell % size + 1}"
