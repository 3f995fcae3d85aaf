"""The two types of the interface: `TimeStep` and `Environment`."""

from __future__ import annotations

import pkgutil
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Key

from popjax.spaces import Box, Discrete

DRAW = "popjax.render:draw"  # found when a picture is drawn: it is made of what this file defines
State = Any  # an environment's own PyTreeNode


class TimeStep(struct.PyTreeNode):
    """What an environment returns: the next observation, and the outcome of the action before it.

    obs: `[*observation_space.shape]` the observation of the state reached.
    reward: `[]` float32, the reward of the action that led here; 0 after a reset.
    terminated: `[]` bool, that action ended the task itself.
    truncated: `[]` bool, that action reached the time limit. Both flags can be true.

    >>> import jax, popjax
    >>> _, timestep = popjax.make("RepeatFirstEasy").reset(jax.random.key(0))
    >>> timestep.obs.shape, timestep.reward.item(), timestep.last.item()
    ((), 0.0, False)
    """

    obs: Array
    reward: Float[Array, ""]
    terminated: Bool[Array, ""]
    truncated: Bool[Array, ""]

    @property
    def last(self) -> Bool[Array, ""]:
        """`[]` bool, the episode is over."""
        return self.terminated | self.truncated


def first(obs: Array) -> TimeStep:
    """The time step of a reset: no reward yet, nothing ended.

    >>> timestep = first(3)
    >>> timestep.obs.item(), timestep.reward.item(), timestep.last.item()
    (3, 0.0, False)
    """
    return then(obs, 0.0)


def then(obs: Array, reward: Any, terminated: Any = False, truncated: Any = False) -> TimeStep:
    """The time step after an action.

    >>> timestep = then(3, reward=1, truncated=True)
    >>> timestep.reward.item(), timestep.terminated.item(), timestep.last.item()
    (1.0, False, True)
    """
    return TimeStep(
        obs=jnp.asarray(obs),
        reward=jnp.asarray(reward, jnp.float32),
        terminated=jnp.asarray(terminated, bool),
        truncated=jnp.asarray(truncated, bool),
    )


@dataclass(frozen=True)
class Environment:
    """A partially observable task as a frozen dataclass: hashable, static under `jit`, its own
    configuration. A level of difficulty is an instance. Subclasses define the two spaces,
    `max_steps`, `reset` and `transition`.

    >>> import jax, popjax
    >>> env = popjax.make("RepeatPreviousEasy")
    >>> state, timestep = env.reset(jax.random.key(0))
    >>> state, timestep = env.step(jax.random.key(1), state, timestep.obs)
    >>> bool(timestep.last), float(timestep.reward)
    (False, 0.0)
    """

    needs_previous_action: ClassVar[bool] = False
    """The reference's `obs_requires_prev_action`: the best policy must know its own last action."""
    return_bounds: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    """No episode's undiscounted return lies outside."""

    @property
    def name(self) -> str:
        """The family's name."""
        return type(self).__name__

    @property
    def observation_space(self) -> Discrete | Box:
        raise NotImplementedError

    @property
    def action_space(self) -> Discrete | Box:
        raise NotImplementedError

    @property
    def max_steps(self) -> int:
        """The length of the longest episode."""
        raise NotImplementedError

    def reset(self, key: Key[Array, ""]) -> tuple[State, TimeStep]:
        """Starts an episode. The key is consumed."""
        raise NotImplementedError

    def transition(
        self, key: Key[Array, ""], state: State, action: Array
    ) -> tuple[State, TimeStep]:
        """The rule of the task, for an action that lies in the action space."""
        raise NotImplementedError

    def step(self, key: Key[Array, ""], state: State, action: Any) -> tuple[State, TimeStep]:
        """Takes one action, without automatic reset (see `popjax.batch`). The key is consumed.

        An action outside the action space raises a ValueError where its value is known (outside
        `jit` and `vmap`); where it is traced, it is replaced by the nearest action of the space.
        A step after the end returns an observation in the space and is otherwise meaningless.
        """
        return self.transition(key, state, self.action_space.admit(action))

    def markov_state(self, state: State) -> Float[Array, " m"]:
        """The hidden state as one float vector, for probes and upper bounds."""
        raise NotImplementedError

    def render(self, state: State, timestep: TimeStep, reveal: bool = False) -> Any:
        """A picture of the state, a `popjax.render.Scene`; `reveal` adds what is hidden."""
        return pkgutil.resolve_name(DRAW)(self, state, timestep, reveal)
