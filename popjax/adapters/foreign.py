"""Environments of others as ours: what `from_gymnax` and `from_stoa` share."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jaxtyping import Array, Int

from popjax.contract import check_environment
from popjax.core import Environment, State, TimeStep, first, then
from popjax.fields import whole_number
from popjax.spaces import Box, Discrete


class ForeignState(struct.PyTreeNode):
    """inner: the environment's own state. time: `[]` steps taken."""

    inner: State
    time: Int[Array, ""]


def to_box(low: Any, high: Any, shape: tuple[int, ...]) -> Box:
    """A space of reals of any shape as a vector. A number that is always the same has room above
    it, since a `Box` has none without; bounds are float32.

    >>> to_box(0, np.array([1, np.inf]), (2,))
    Box(low=(0.0, 0.0), high=(1.0, inf))
    """
    low, high = (
        np.broadcast_to(np.asarray(bound, np.float32), shape).ravel().astype(float)
        for bound in (low, high)
    )
    high = np.where(high > low, high, low + 1)
    return Box(tuple(low.tolist()), tuple(high.tolist()))


@dataclass(frozen=True, eq=False)
class ForeignEnvironment(Environment):
    """Another package's environment, of one episode and without automatic reset, under our
    protocol. Subclasses give `_space`, `_begin` and `_go_on`.

    env, params: the environment and what its functions take beside the state. limit: no episode is
    longer; one that would be is truncated there.

    Equal ones, of one class, with equal fields and parameters, share their compiled programs.
    """

    env: Any
    params: Any = None
    limit: int = 0
    _spaces: tuple[Any, ...] = field(init=False, repr=False)
    _identity: tuple[Any, ...] = field(init=False, repr=False)

    return_bounds = (-math.inf, math.inf)

    def __post_init__(self):
        whole_number(self.limit, f"max_steps of {self.name}", 1)
        spaces = [self._space(kind) for kind in ("observation", "action")]
        object.__setattr__(self, "_spaces", tuple(spaces))
        object.__setattr__(self, "_identity", _identity(self.env, self.params, self.limit))
        check_environment(self)

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self._identity == other._identity

    def __hash__(self) -> int:
        return hash(self._identity)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name}, max_steps={self.limit})"

    @property
    def name(self) -> str:
        return str(getattr(self.env, "name", "") or type(self.env).__name__)

    @property
    def observation_space(self) -> Discrete | Box:
        return self._spaces[0]

    @property
    def action_space(self) -> Discrete | Box:
        return self._spaces[1][0]

    @property
    def max_steps(self) -> int:
        return self.limit

    def reset(self, key) -> tuple[ForeignState, TimeStep]:
        inner, obs = self._begin(key)
        inner = jax.tree.map(lambda leaf: _cast(leaf, jnp.result_type(leaf)), inner)
        return ForeignState(inner, jnp.int32(0)), first(self._obs(obs))

    def transition(self, key, state: ForeignState, action) -> tuple[ForeignState, TimeStep]:
        space, shape = self._spaces[1]
        action = jnp.reshape(action, shape) if isinstance(space, Box) else action
        inner, obs, reward, terminated, truncated = self._go_on(key, state.inner, action)
        # A reset may give integers of Python where a step gives reals.
        inner = jax.tree.map(lambda old, new: _cast(new, old.dtype), state.inner, inner)
        time = state.time + 1
        reward, terminated, truncated = map(jnp.squeeze, (reward, terminated, truncated))
        step = then(self._obs(obs), reward, terminated, truncated | (time >= self.limit))
        return ForeignState(inner, time), step

    def markov_state(self, state: ForeignState) -> Array:
        leaves = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.number)]
        return jnp.concatenate([jnp.ravel(leaf).astype(jnp.float32) for leaf in leaves])

    def _obs(self, obs: Any) -> Array:
        space = self.observation_space
        return jnp.reshape(jnp.asarray(obs), space.shape).astype(space.dtype)

    def _space(self, kind: str) -> Any:
        """The space of observations; that of actions with the shape of its elements there."""
        raise NotImplementedError

    def _begin(self, key: Array) -> tuple[State, Any]:
        """State and observation of a reset."""
        raise NotImplementedError

    def _go_on(self, key: Array, inner: State, action: Array) -> tuple[State, Any, Any, Any, Any]:
        """State, observation, reward, terminated, truncated of a step without reset."""
        raise NotImplementedError


def _cast(leaf: Any, dtype: Any) -> Array:
    """A leaf of a state as an array of that kind; keys stay what they are."""
    is_key = jnp.issubdtype(dtype, jax.dtypes.prng_key)
    return leaf if is_key else jnp.asarray(leaf, dtype)


def refused(name: str, kind: str, space: Any, taken: str) -> ValueError:
    """What to say of a space that has no counterpart."""
    return ValueError(f"{name} has {kind}s in a {type(space).__name__}: {taken} can be read")


def _identity(env: Any, params: Any, limit: int) -> tuple[Any, ...]:
    """Equal for environments of one class with equal fields, where those can be compared."""
    leaves, structure = jax.tree.flatten(params)
    values = tuple((np.shape(leaf), np.asarray(leaf).tobytes()) for leaf in leaves)
    try:
        own = tuple(sorted(vars(env).items()))
        hash(own)
    except TypeError:
        own = id(env)
    return type(env), own, structure, values, limit
