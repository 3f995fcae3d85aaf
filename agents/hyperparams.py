"""The traced settings of every objective, and the optimiser made from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Float

from agents.ranges import Share, Within

Schedule = Literal["constant", "linear", "cosine"]
Weight = Annotated[float, Within(0, 1000)]
Bound = Annotated[float, Within(0, 1e6, above=True, infinite=True)]


class Hyperparams(struct.PyTreeNode):
    """Traced settings: a search vmaps over them and compiles once. Ranges are checked on the
    numbers that a user gives, not on traced values.

    >>> points = Hyperparams(learning_rate=jnp.array([1e-3, 1e-4]))  # two lanes of one program
    >>> points.learning_rate.shape, points.gamma
    ((2,), 0.99)
    """

    learning_rate: Share = 5e-4
    gamma: Share = 0.99
    gae_lambda: Share = 0.95
    clip: Bound = 0.2
    entropy: Weight = 0.01
    value: Weight = 0.5  # weight of the mean squared error of the value
    max_grad_norm: Bound = 0.5  # infinite for none
    value_cut: Bound = jnp.inf  # upper bound of the squared error of the value
    value_clip: Bound = jnp.inf  # how far a value may move in an update, as PPO clips the policy
    kl: Weight = 0.0  # initial coefficient of the adaptive KL penalty; 0 for none
    kl_target: Annotated[float, Within(0, 1000, above=True)] = 0.01
    adam_eps: Annotated[float, Within(0, 1, above=True)] = 1e-5


def optimiser(hyperparams: Hyperparams, lr_scale: Any = 1.0) -> optax.GradientTransformation:
    """Adam after clipping by global norm, from traced settings.

    lr_scale: multiplies the learning rate, see `lr_schedule`.

    >>> adam = optimiser(Hyperparams(learning_rate=0.1))
    >>> change, _ = adam.update(jnp.array(2.0), adam.init(jnp.array(0.0)))
    >>> round(change.item(), 3)
    -0.1
    """
    return optax.chain(
        optax.clip_by_global_norm(hyperparams.max_grad_norm),
        optax.scale_by_adam(eps=hyperparams.adam_eps),
        optax.scale(-hyperparams.learning_rate * lr_scale),
    )


def share_of_run(update: Any, num_updates: Any) -> Any:
    """The share of a run of `num_updates` that is done at update `update`, counted from 0: above 0
    at the first, so that a warm-up does not waste it, and below 1 at the last.

    >>> share_of_run(0, 3), share_of_run(2, 3)
    (0.25, 0.75)
    """
    return (update + 1) / (num_updates + 1)


def lr_schedule(schedule: Schedule, warmup: float, share: Any) -> Float[Array, ""]:
    """The factor of the learning rate at this share of the run.

    schedule: how the rate decays to zero over the run, or "constant". warmup: the share of the run
    over which it first rises from zero (0: no warm-up); both factors apply.

    >>> [lr_schedule("linear", 0.5, share).item() for share in (0.25, 0.5, 1.0)]
    [0.375, 0.5, 0.0]
    """
    share = jnp.asarray(share, jnp.float32)
    fall = {
        "cosine": lambda: 0.5 + 0.5 * jnp.cos(jnp.pi * share),
        "linear": lambda: 1.0 - share,
        "constant": lambda: jnp.ones_like(share),
    }[schedule]()
    climb = jnp.minimum(1.0, share / warmup) if warmup else 1.0
    return climb * fall
