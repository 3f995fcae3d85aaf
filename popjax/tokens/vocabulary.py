"""Typed tokens: every component of an observation and the action have numbers of their own.

`PAD = 0, BOS = 1, EOS = 2, SEP = 3`, then the values of each component of the observation, then the
actions, then reward and end if they are asked for. A suit that is seen and the same suit said are
two tokens, unless they are tied.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from popjax.core import Environment
from popjax.envs.autoencode import WATCH, Autoencode
from popjax.envs.labyrinth import NONE, Labyrinth
from popjax.envs.repeat_first import RepeatFirst
from popjax.envs.repeat_previous import RepeatPrevious
from popjax.spaces import Box
from popjax.tokens.bins import NUM_BINS, NUM_TORQUES, Bins, Levels
from popjax.tokens.targets import LARGEST_JOINT

PAD, BOS, EOS, SEP = range(4)
SAYS_WHAT_IT_SAW = (Autoencode, RepeatFirst, RepeatPrevious)


@dataclass(frozen=True)
class Vocabulary:
    """The tokens of an environment.

    num_bins: of each real component. tie_obs_act: a suit said is the token of that suit seen; in
    RepeatFirst, RepeatPrevious and Autoencode only. rewards: a token after each action, for less
    than, equal to or more than 0. ends: a token after each action, whether the episode is over.

    Components of an observation are one token together if there are at most 512 such tokens.

    >>> import popjax
    >>> vocabulary = Vocabulary(popjax.make("RepeatFirstEasy"))
    >>> vocabulary.size, vocabulary.words[:6], vocabulary.words[-1]
    (12, ('PAD', 'BOS', 'EOS', 'SEP', 'spade', 'diamond'), 'say heart')
    """

    env: Environment
    num_bins: int = NUM_BINS
    tie_obs_act: bool = False
    rewards: bool = False
    ends: bool = False

    def __post_init__(self):
        if self.tie_obs_act and not isinstance(self.env, SAYS_WHAT_IT_SAW):
            raise ValueError(f"what is seen and what is said in {self.env.name} cannot be tied")

    @property
    def components(self) -> tuple[int, ...]:
        """Values of each component of the observation as it is written."""
        space = self.env.observation_space
        if isinstance(space, Box):
            return (self.num_bins,) * Bins(self.env).num_components
        if isinstance(self.env, Labyrinth):  # the tenth is the action that stands before it
            return space.sizes[:9]
        sizes = space.sizes if isinstance(space.sizes, tuple) else (space.sizes,)
        return (math.prod(sizes),) if math.prod(sizes) <= LARGEST_JOINT else sizes

    @property
    def num_actions(self) -> int:
        """One token an action; places (row, column) are counted row by row."""
        space = self.env.action_space
        if isinstance(space, Box):
            return NUM_TORQUES
        return math.prod(space.sizes) if isinstance(space.sizes, tuple) else space.sizes

    @property
    def observation_ids(self) -> tuple[int, ...]:
        """The token of value 0 of each component."""
        return tuple(4 + sum(self.components[:i]) for i in range(len(self.components)))

    @property
    def action_ids(self) -> int:
        """The token of action 0."""
        if self.tie_obs_act:
            return 4 + (4 * WATCH if isinstance(self.env, Autoencode) else 0)
        return 4 + sum(self.components)

    @property
    def reward_ids(self) -> int:
        """The token of a reward below 0; then those of none and of more."""
        return 4 + sum(self.components) + (0 if self.tie_obs_act else self.num_actions)

    @property
    def end_ids(self) -> int:
        """The token that the episode goes on; then that it is over."""
        return self.reward_ids + 3 * self.rewards

    @property
    def size(self) -> int:
        """Of the vocabulary."""
        return self.end_ids + 2 * self.ends

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What each token stands for, in a few words; all different."""
        from popjax.tokens.words import words_of

        return words_of(self)

    def of_obs(
        self, obs: Array, first: Bool[Array, "..."] | bool = False
    ) -> Int[Array, "... components"]:
        """The tokens of an observation. `first`: it begins an episode."""
        return self._obs_codes(obs, first) + np.array(self.observation_ids)

    def to_obs(
        self,
        tokens: Int[Array, "... components"],
        first: Bool[Array, "..."] | bool = False,
        previous: Int[Array, "..."] | int = 0,
    ) -> Array:
        """The observation of those tokens; reals in the middle of their bins. `previous`: number
        of the action that stands before it, which labyrinths show."""
        codes = tokens - np.array(self.observation_ids)
        space = self.env.observation_space
        if isinstance(space, Box):
            return Bins(self.env, self.num_bins).centre(codes, first)
        if isinstance(self.env, Labyrinth):
            action = jnp.where(first, NONE, previous)
            return jnp.concatenate([codes, action[..., None]], axis=-1).astype(jnp.int32)
        if not space.shape:
            return codes[..., 0]
        if len(self.components) == 1:
            codes = jnp.stack(jnp.unravel_index(codes[..., 0], space.sizes), axis=-1)
        return codes.astype(jnp.int32)

    def of_action(self, action: Array) -> Int[Array, "..."]:
        """The token of an action."""
        return self.action_codes(action) + self.action_ids

    def to_action(self, token: Int[Array, "..."]) -> Array:
        """The action of a token; a torque is the nearest of nine."""
        code, space = token - self.action_ids, self.env.action_space
        if isinstance(space, Box):
            return Levels(space).value(code)
        if space.shape:
            return jnp.stack(jnp.unravel_index(code, space.sizes), axis=-1).astype(jnp.int32)
        return code

    def action_codes(self, action: Array) -> Int[Array, "..."]:
        """Number of an action, from 0."""
        space = self.env.action_space
        if isinstance(space, Box):
            return Levels(space).index(action)
        return _joint(action, space.sizes) if space.shape else jnp.asarray(action)

    def of_reward(self, reward: Float[Array, "..."]) -> Int[Array, "..."]:
        """The token of a reward: below, equal to or above 0."""
        return self.reward_ids + 1 + jnp.sign(reward).astype(jnp.int32)

    def _obs_codes(self, obs, first):
        space = self.env.observation_space
        if isinstance(space, Box):
            return Bins(self.env, self.num_bins).index(obs, first)
        if isinstance(self.env, Labyrinth):
            return obs[..., :9]
        if not space.shape:
            return jnp.asarray(obs)[..., None]
        return _joint(obs, space.sizes)[..., None] if len(self.components) == 1 else obs


def _joint(values: Int[Array, "... n"], sizes: tuple[int, ...]) -> Int[Array, "..."]:
    """One number for all components, the first one leading."""
    places = np.array([math.prod(sizes[i + 1 :]) for i in range(len(sizes))])
    return jnp.sum(values * places, axis=-1)
