"""Typed tokens: every component of an observation and the action have numbers of their own.

`PAD = 0, BOS = 1, EOS = 2, SEP = 3`, then the values of each component of the observation, then the
actions. A suit that is seen and the same suit said are two tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Array, Bool, Int

from popjax.bins import NUM_BINS
from popjax.core import Environment
from popjax.spaces import Discrete
from popjax.tokens.levels import Levels, levels_of
from popjax.tokens.observations import Whole, observation_of
from popjax.tokens.words import words_of

SPECIAL = ("PAD", "BOS", "EOS", "SEP")


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of an environment.

    num_bins: of each real component.

    Components of an observation are one token together if there are at most 512 such tokens.

    >>> import popjax
    >>> vocabulary = Vocabulary(popjax.make("RepeatFirstEasy"))
    >>> vocabulary.size, vocabulary.words[:6], vocabulary.words[-1]
    (12, ('PAD', 'BOS', 'EOS', 'SEP', 'spade', 'diamond'), 'say heart')
    """

    env: Environment
    num_bins: int = NUM_BINS

    @property
    def components(self) -> tuple[int, ...]:
        """Values of each component of the observation as it is written."""
        return self._seen.sizes

    @property
    def num_actions(self) -> int:
        """One token an action; places (row, column) are counted row by row."""
        return self._said.num_values

    @property
    def observation_ids(self) -> tuple[int, ...]:
        """The token of value 0 of each component."""
        sizes = self.components
        return tuple(len(SPECIAL) + sum(sizes[:i]) for i in range(len(sizes)))

    @property
    def action_ids(self) -> int:
        """The token of action 0."""
        return len(SPECIAL) + sum(self.components)

    @property
    def size(self) -> int:
        """Of the vocabulary."""
        return self.action_ids + self.num_actions

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What each token stands for, in a few words; all different."""
        named, words = words_of(self.env), [*SPECIAL]
        for i, size in enumerate(self.components):
            words += [named.observation(i, value) for value in range(size)]
        words += named.actions()
        assert len(set(words)) == len(words) == self.size, f"names of {self.env.name}"
        return tuple(words)

    def of_obs(
        self, obs: Array, first: Bool[Array, "..."] | bool = False
    ) -> Int[Array, "... components"]:
        """The tokens of an observation. `first`: it begins an episode."""
        return self._seen.encode(obs, first) + np.array(self.observation_ids)

    def to_obs(
        self,
        tokens: Int[Array, "... components"],
        first: Bool[Array, "..."] | bool = False,
        previous: Int[Array, "..."] | int = 0,
    ) -> Array:
        """The observation of those tokens; reals in the middle of their bins. `previous`: number
        of the action that stands before it, which labyrinths show."""
        return self._seen.decode(tokens - np.array(self.observation_ids), first, previous)

    def of_action(self, action: Array) -> Int[Array, "..."]:
        """The token of an action."""
        return self._said.to_number(action) + self.action_ids

    def to_action(self, token: Int[Array, "..."]) -> Array:
        """The action of a token; a torque is the nearest of nine."""
        return self._said.from_number(token - self.action_ids)

    @property
    def _seen(self) -> Whole:
        return observation_of(self.env, self.num_bins)

    @property
    def _said(self) -> Discrete | Levels:
        return levels_of(self.env)
