"""One batch of episodes shared by several devices: each reads its part, gradients are summed.

The arrays say where they lie and the compiler does the rest, so a program for one device and for
many is the same code.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, SingleDeviceSharding

AXIS = "episodes"


def episode_mesh(num_episodes: int) -> Mesh | None:
    """The most local devices that can share so many episodes equally; None if that is one."""
    devices = jax.local_devices()
    most = max(n for n in range(1, len(devices) + 1) if num_episodes % n == 0)
    return Mesh(np.array(devices[:most]), (AXIS,)) if most > 1 else None


def everywhere(mesh: Mesh) -> NamedSharding:
    """A whole copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def replicated(mesh: Mesh | None, tree: Any) -> Any:
    """The tree with a whole copy on each device."""
    return tree if mesh is None else jax.device_put(tree, everywhere(mesh))


def placed_like(mesh: Mesh | None, shapes: Any) -> Any:
    """Shapes of arrays that lie where `replicated` puts them."""
    place = SingleDeviceSharding(jax.local_devices()[0]) if mesh is None else everywhere(mesh)
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes
    )


def shared(mesh: Mesh | None, tree: Any) -> Any:
    """Inside `jit`: arrays `[T, N, ...]` with the episodes, axis 1, shared by the devices."""
    if mesh is None:
        return tree
    placed = NamedSharding(mesh, PartitionSpec(None, AXIS))
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, placed), tree)
