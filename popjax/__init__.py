"""POPGym in pure JAX: small partially observable tasks, each step a jittable function."""

from popjax import batch
from popjax.core import Environment, TimeStep
from popjax.registry import ENVS, FAMILIES, make
from popjax.spaces import Box, Discrete

__all__ = ["ENVS", "FAMILIES", "Box", "Discrete", "Environment", "TimeStep", "batch", "make"]
