"""Whether an environment that somebody else wrote keeps to the protocol of `popjax.core`."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from popjax.core import Environment, TimeStep
from popjax.fields import whole_number
from popjax.places import describe
from popjax.spaces import Box, Discrete, check_type

MAKE = "popjax.registry:make"  # found when a name is given: the registry checks with this file


def as_environment(env: Environment | str) -> Environment:
    """An environment, or that of a name (`popjax.make`), checked; see `check_environment`.

    >>> as_environment("RepeatFirstEasy").name
    'RepeatFirst'
    """
    if isinstance(env, str):
        return pkgutil.resolve_name(MAKE)(env)
    if not isinstance(env, Environment):
        kind = env.__name__ if isinstance(env, type) else type(env).__name__
        raise ValueError(f"an environment is a popjax.Environment or its name, not {kind}")
    return check_environment(env)


def check_environment(env: Environment, name: str = "") -> Environment:
    """The environment; a ValueError of one line if training would fail on it. Nothing is computed:
    `reset` and `step` are traced.

    >>> import popjax
    >>> check_environment(popjax.make("RepeatFirstEasy")).name
    'RepeatFirst'
    >>> check_environment(Environment(), "mine")
    Traceback (most recent call last):
    ...
    ValueError: mine: observation_space is not defined
    """
    name = name or env.name
    try:
        hash(env)
    except TypeError as error:
        raise ValueError(f"{name}: its fields must be hashable, but {error}") from None
    for field in ("observation_space", "action_space"):
        space = asked(name, field, lambda field=field: getattr(env, field))
        if not isinstance(space, Discrete | Box):
            raise ValueError(f"{name}: {field} is a popjax Discrete or Box, not {space!r:.60}")
    whole_number(asked(name, "max_steps", lambda: env.max_steps), f"{name}: max_steps", 1)

    key, space = jax.random.key(0), env.action_space
    action = jax.ShapeDtypeStruct(space.shape, space.dtype)
    begun = asked(name, "reset", lambda: jax.eval_shape(env.reset, key))
    state, _ = _checked(env, name, "reset", begun)
    gone_on = asked(name, "transition", lambda: jax.eval_shape(env.step, key, state, action))
    after, _ = _checked(env, name, "transition", gone_on)
    if _kinds(state) != _kinds(after):
        raise ValueError(
            f"{name}: transition changes the state's shape: {_difference(state, after)}"
        )
    return env


def asked(name: str, what: str, ask: Callable[[], Any]) -> Any:
    """What a thing somebody else wrote gives; a ValueError of one line if it raises something.

    >>> asked("mine", "reset", lambda: 1 / 0)
    Traceback (most recent call last):
    ...
    ValueError: mine: reset fails: ZeroDivisionError: division by zero
    """
    try:
        return ask()
    except NotImplementedError:
        raise ValueError(f"{name}: {what} is not defined") from None
    except Exception as error:
        raise ValueError(f"{name}: {what} fails: {describe(error)}") from None


def _checked(env: Environment, name: str, what: str, given: Any) -> tuple[Any, TimeStep]:
    """State and time step, by their shapes."""
    if not isinstance(given, tuple) or len(given) != 2 or not isinstance(given[1], TimeStep):
        raise ValueError(
            f"{name}: {what} returns (state, TimeStep), see popjax.core.first and then, "
            f"not {type(given).__name__}"
        )
    state, timestep = given
    if not jax.tree.leaves(state):
        raise ValueError(f"{name}: {what} returns a state without arrays: give it one, a clock")
    try:
        check_type(env.observation_space, timestep.obs)
    except ValueError as error:
        raise ValueError(f"{name}: the observation of {what}: {error}") from None
    for field, dtype in (("reward", jnp.float32), ("terminated", bool), ("truncated", bool)):
        leaf = getattr(timestep, field)
        if leaf.shape or leaf.dtype != dtype:
            raise ValueError(
                f"{name}: the {field} of {what} is one {jnp.dtype(dtype).name}, not "
                f"{leaf.dtype.name} of shape {leaf.shape}"
            )
    return state, timestep


def _kinds(tree: Any) -> Any:
    leaves, structure = jax.tree.flatten(tree)
    return [(leaf.shape, leaf.dtype) for leaf in leaves], structure


def _difference(before: Any, after: Any) -> str:
    """Where two states differ first."""
    pairs = [
        {
            jax.tree_util.keystr(path): leaf
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
        }
        for tree in (before, after)
    ]
    for path in dict.fromkeys([*pairs[0], *pairs[1]]):
        found = [
            f"{p[path].dtype.name}{list(p[path].shape)}" if path in p else "nothing" for p in pairs
        ]
        if found[0] != found[1]:
            return f"{path.lstrip('.')} is {found[0]} before and {found[1]} after"
    return "its structure differs"
