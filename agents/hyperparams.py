"""The traced settings of every way to train, and the optimiser that they make."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import optax
from flax import struct


class Hyperparams(struct.PyTreeNode):
    """What is traced: a search vmaps over these and compiles once."""

    learning_rate: float = 5e-4
    gamma: float = 0.99
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy: float = 0.01
    value: float = 0.5
    max_grad_norm: float = 0.5
    value_cut: float = jnp.inf  # squared errors of the value are cut here
    kl: float = 0.0  # first coefficient of the adaptive KL penalty; 0 for none
    kl_target: float = 0.01
    adam_eps: float = 1e-5


def optimiser(hyperparams: Hyperparams, progress: Any = 0.0) -> optax.GradientTransformation:
    """Adam behind a clip of the global norm, from traced settings."""
    return optax.chain(
        optax.clip_by_global_norm(hyperparams.max_grad_norm),
        optax.scale_by_adam(eps=hyperparams.adam_eps),
        optax.scale(-hyperparams.learning_rate * (1.0 - progress)),
    )
