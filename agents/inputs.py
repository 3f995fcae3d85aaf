"""What an agent or a language model reads at a step, as one vector."""

from __future__ import annotations

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from popjax.bins import Bins
from popjax.core import Environment
from popjax.spaces import Box, Discrete

Inputs = Literal["obs+action", "obs+joint", "obs", "bins+action", "bins"]


def input_size(env: Environment, inputs: Inputs) -> int:
    """Width of `agent_input`.

    >>> from popjax import make
    >>> env = make("RepeatPreviousEasy")  # 4 suits to see, 4 to name
    >>> input_size(env, "obs"), input_size(env, "obs+action")
    (5, 9)
    """
    previous = 0 if inputs in ("obs", "bins") else action_code(env, inputs).flat_size
    return env.observation_space.flat_size + previous + 1


def action_code(env: Environment, inputs: Inputs) -> Discrete | Box:
    """The space as whose member the previous action is read: its own, or with "obs+joint" the
    number of the combination of its integers.

    >>> from popjax import make
    >>> action_code(make("BattleshipEasy"), "obs+joint").flat_size  # 8 rows x 8 columns
    64
    """
    space = env.action_space
    joint = inputs == "obs+joint" and isinstance(space, Discrete)
    return Discrete(space.num_values) if joint else space


def agent_input(
    env: Environment, obs: Array, previous_action: Array, start: Array, inputs: Inputs
) -> Float[Array, "... d"]:
    """`concat(flatten(obs), flatten(previous_action), start)`, the action zero where `start`,
    whatever it was: the paper's PreviousAction and Antialias wrappers in one. `inputs="obs"`
    leaves the previous action out; with "obs+joint" an action of several integers is one code for
    each of their combinations; with "bins" instead of "obs" a real-valued observation is the middle
    of its bin (`popjax.bins`), as a model of tokens sees it.

    >>> from popjax import make
    >>> env = make("RepeatPreviousEasy")
    >>> agent_input(env, jnp.array(2), jnp.array(1), jnp.array(False), "obs+action").tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    if inputs.startswith("bins"):
        bins = Bins(env)
        obs = bins.centre(bins.index(obs, first=start), first=start)
    start = start[..., None]
    parts = [env.observation_space.flatten(obs), start.astype(jnp.float32)]
    if inputs not in ("obs", "bins"):
        taken = env.action_space.nearest(previous_action)
        code = action_code(env, inputs)
        if code != env.action_space:
            taken = env.action_space.to_number(taken)
        parts.insert(1, jnp.where(start, 0.0, code.flatten(taken)))
    return jnp.concatenate(parts, axis=-1)
