"""The state of a training run, and its optimiser step."""

from __future__ import annotations

from typing import Any, Self

import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Int, Key

from agents.hyperparams import Hyperparams, Schedule, lr_schedule, optimiser, share_of_run


class TrainState(struct.PyTreeNode):
    """All that a run needs to continue.

    key: of the run. update: `[]` updates made. num_updates: `[]` the run's length (for the
    schedule of the learning rate).
    """

    params: Any
    opt_state: Any
    key: Key[Array, ""]
    update: Int[Array, ""]
    num_updates: Int[Array, ""]

    @classmethod
    def create(
        cls, params: Any, key: Key[Array, ""], hyperparams: Hyperparams, num_updates: Any, **own
    ) -> Self:
        """Before the first update. own: the fields that a kind of learner adds."""
        return cls(
            params=params,
            opt_state=optimiser(hyperparams).init(params),
            key=key,
            update=jnp.int32(0),
            num_updates=jnp.asarray(num_updates, jnp.int32),
            **own,
        )

    def optimiser(
        self, hyperparams: Hyperparams, schedule: Schedule, warmup: float
    ) -> optax.GradientTransformation:
        """At the learning rate that the schedule gives to the present update."""
        share = share_of_run(self.update, self.num_updates)
        return optimiser(hyperparams, lr_schedule(schedule, warmup, share))

    def apply_gradients(
        self, grads: Any, hyperparams: Hyperparams, schedule: Schedule, warmup: float
    ) -> Self:
        """After an update of one gradient step."""
        step = self.optimiser(hyperparams, schedule, warmup).update
        updates, opt_state = step(grads, self.opt_state, self.params)
        return self.replace(
            params=optax.apply_updates(self.params, updates),
            opt_state=opt_state,
            update=self.update + 1,
        )
