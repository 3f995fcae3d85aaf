"""Two ways to use several devices.

Either a batch of episodes is split over them: each reads its part, and gradients are summed. The
arrays carry their sharding and the compiler does the rest, so the code for one device and for many
is the same. Or whole runs (lanes: seeds, points of a search) are distributed over them, without
communication.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding, SingleDeviceSharding

AXIS = "episodes"
LANES = "lanes"


def episode_mesh(num_episodes: int) -> Mesh | None:
    """The most local devices that can share so many episodes equally; None if that is one."""
    devices = jax.local_devices()
    most = max(n for n in range(1, len(devices) + 1) if num_episodes % n == 0)
    return Mesh(np.array(devices[:most]), (AXIS,)) if most > 1 else None


def replicated(mesh: Mesh) -> NamedSharding:
    """A whole copy on each device."""
    return NamedSharding(mesh, PartitionSpec())


def lane_mesh(num_lanes: int) -> Mesh | None:
    """The fewest local devices on which so many lanes take no longer; None if that is one.

    Five lanes on four devices make two rounds, and three devices do that too.
    """
    devices = jax.local_devices()
    rounds = -(-num_lanes // len(devices))
    fewest = -(-num_lanes // rounds)
    return Mesh(np.array(devices[:fewest]), (LANES,)) if fewest > 1 else None


def lane_sharding(mesh: Mesh) -> NamedSharding:
    """Lanes, the first axis, dealt out to the devices in equal parts."""
    return NamedSharding(mesh, PartitionSpec(LANES))


def padded(mesh: Mesh | None, tree: Any) -> Any:
    """The tree with its last lane repeated until every device has equally many."""
    if mesh is None:
        return tree

    def pad(leaf):
        missing = -len(leaf) % mesh.size
        return jnp.concatenate([leaf, *[leaf[-1:]] * missing]) if missing else leaf

    return jax.tree.map(pad, tree)


def over_lanes(mesh: Mesh | None, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` of one lane, over all: vmapped on each device over its own.

    No device waits for another: what the compiler makes of it has no collective.
    """
    lanes = jax.vmap(function)
    if mesh is None:
        return lanes
    spec = PartitionSpec(LANES)
    return jax.shard_map(lanes, mesh=mesh, in_specs=spec, out_specs=spec, check_vma=False)


def placed(sharding: Sharding | None, tree: Any) -> Any:
    """The tree where a sharding says; None leaves it where it is."""
    return tree if sharding is None else jax.device_put(tree, sharding)


def placed_like(sharding: Sharding | None, shapes: Any) -> Any:
    """Shapes of arrays that lie where `placed` puts them."""
    place = sharding or SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), shapes
    )


def shared(mesh: Mesh | None, tree: Any) -> Any:
    """Inside `jit`: arrays `[T, N, ...]` with the episodes, axis 1, shared by the devices."""
    if mesh is None:
        return tree
    placed = NamedSharding(mesh, PartitionSpec(None, AXIS))
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, placed), tree)
