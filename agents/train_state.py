"""The state of a training run, and its optimiser step."""

from __future__ import annotations

from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np
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

    def __init_subclass__(cls, **options: Any) -> None:
        """Learners of every kind are shown by `__repr__` below, not by all their arrays."""
        super().__init_subclass__(**{"repr": False, **options})

    def __repr__(self) -> str:
        size = sum(getattr(leaf, "size", 0) for leaf in jax.tree.leaves(self.params))
        done = f"update {_shown(self.update)} of {_shown(self.num_updates)}"
        return f"{type(self).__name__}({done}, {size:,} parameters)"

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


def _shown(number: Any) -> str:
    """A number whose value is known; else its shape."""
    known = isinstance(number, jax.Array | np.ndarray) and not isinstance(number, jax.core.Tracer)
    if not known:
        return str(number)
    return str(number.item()) if number.size == 1 else f"[{', '.join(map(str, number.shape))}]"
