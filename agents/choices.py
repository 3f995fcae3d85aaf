"""One choice of K: an action, or a guess of the next token, as one integer.

Actions of several components (a row and a column) are counted as `Discrete.to_number` counts
them, so that every objective sees K choices, one probability each.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from agents.nats import components
from popjax.core import Environment
from popjax.spaces import Discrete


def sizes_of(env: Environment) -> tuple[int, ...]:
    """The sizes of the components of an action; a ValueError if there are none to count."""
    space = env.action_space
    if not isinstance(space, Discrete):
        raise ValueError(
            f"the actions of {env.name} are reals: nothing can be named right or wrong"
        )
    return space.components


def log_probs(
    sizes: tuple[int, ...], outputs: Float[Array, "*batch n"]
) -> Float[Array, "*batch K"]:
    """Of each choice, from the logits of its independent components side by side."""
    joint = jnp.zeros((*outputs.shape[:-1], 1), outputs.dtype)
    for part in map(jax.nn.log_softmax, components(sizes, outputs)):
        joint = (joint[..., :, None] + part[..., None, :]).reshape(*outputs.shape[:-1], -1)
    return joint


def take_along_last(
    table: Float[Array, "*batch K"], choice: Int[Array, "*batch"]
) -> Float[Array, "*batch"]:
    """The entry of the choice."""
    return jnp.take_along_axis(table, choice[..., None], axis=-1)[..., 0]
