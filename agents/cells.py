"""An agent that treats all cells of a board, or all arms of a bandit, alike."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from agents.memory import Memory
from agents.memory.dense import Dense
from agents.networks import Head


class EquivariantBackbone(nn.Module):
    """The same encoder and the same memory at every cell, each cell with a state of its own.

    What is seen at a cell and whether it was acted upon last goes to it alone; all else that is
    seen, and what is seen at all cells together (their mean and maximum), goes to every cell.
    So a permutation of the cells permutes what comes out (Deep Sets, Zaheer et al. 2017,
    arXiv 1703.06114), and what is learned at one cell is known at all.

        u_j = W [own_j, acted_j]    x_j = u_j + V [others, mean_j relu(u_j), max_j relu(u_j)]
        then for each memory x_j + memory(norm(x_j)), and a last norm

    With `rows`, cells lie row by row as on a board: u_j also learns a code of
    where j lies, and one of where the cell acted upon last lies as seen from j.

    cells: how many, one for each action. own: width of what is seen of one cell, 0 if the
    observation is not one of cells. rows: of the board, 0 if cells have no order. The last
    `cells + 1` inputs are the code of the previous action and the flag of a start.

    >>> from agents.memory import MEMORIES
    >>> backbone = EquivariantBackbone((MEMORIES["gru"](8),), cells=4, own=3)
    >>> backbone.state_size()
    32
    """

    memories: tuple[Memory, ...]
    cells: int
    own: int = 0
    rows: int = 0

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> tuple[Any, ...]:
        def split(leaf):
            return leaf.reshape(batch_size, self.cells, *leaf.shape[1:])

        carries = (memory.initial_carry(batch_size * self.cells) for memory in self.memories)
        return tuple(jax.tree.map(split, carry) for carry in carries)

    @nn.nowrap
    def state_size(self) -> int:
        """Numbers remembered for each sequence."""
        return self.cells * sum(memory.state_size() for memory in self.memories)

    @nn.compact
    def __call__(
        self, carry: tuple[Any, ...], x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[tuple[Any, ...], Float[Array, "T B cells features"]]:
        n, features = self.cells, self.memories[0].features
        own, others, acted, flag = jnp.split(
            x, (n * self.own, x.shape[-1] - n - 1, x.shape[-1] - 1), axis=-1
        )
        own = own.reshape(*own.shape[:-1], n, self.own)
        local = jnp.concatenate([own, acted[..., None]], axis=-1)
        local = Dense(features, name="encoder")(local)
        if self.rows:
            layout = Layout(self.rows, n // self.rows, features, name="layout")
            local = local + layout(acted)
        shared = jnp.concatenate([others, flag, summary(nn.relu(local))], axis=-1)
        x = local + Dense(features, name="shared")(shared)[..., None, :]

        one_row = jnp.repeat(start, n, axis=1)
        carries = []
        for i, (memory, memory_carry) in enumerate(zip(self.memories, carry, strict=True)):
            rows = nn.LayerNorm(name=f"norm_{i}")(x).reshape(x.shape[0], -1, features)
            flat = jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:]), memory_carry)
            after, y = memory(flat, rows, one_row)
            carries.append(jax.tree.map(lambda a, b: a.reshape(b.shape), after, memory_carry))
            x = x + y.reshape(x.shape)
        return tuple(carries), nn.LayerNorm(name="norm_out")(x)


class Layout(nn.Module):
    """Codes of where each cell of a board lies, and of where from it was acted last.

    acted: which cell was acted upon, one-hot, or zeros. Cells are counted row by row; the second
    code is one for all pairs that lie as far apart in the same direction.

    >>> layout = Layout(rows=2, columns=3, features=4)
    >>> layout.init_with_output(jax.random.key(0), jnp.zeros((5, 1, 6)))[0].shape
    (5, 1, 6, 4)
    """

    rows: int
    columns: int
    features: int

    @nn.compact
    def __call__(self, acted: Float[Array, "T B cells"]) -> Float[Array, "T B cells features"]:
        cells = self.rows * self.columns
        down, right = (at[:, None] - at for at in np.divmod(np.arange(cells), self.columns))
        width = 2 * self.columns - 1
        offset = (down + self.rows - 1) * width + right + self.columns - 1  # [acted, seen from]
        here = self.param("here", nn.initializers.zeros, (cells, self.features))
        shape = ((2 * self.rows - 1) * width, self.features)
        away = self.param("away", nn.initializers.normal(1.0), shape)
        from_here = acted @ away[offset].reshape(cells, -1)
        return here + from_here.reshape(*acted.shape, self.features)


def summary(x: Float[Array, "... n d"]) -> Float[Array, "... 2d"]:
    """Mean and maximum over the cells, which no permutation changes."""
    return jnp.concatenate([x.mean(axis=-2), x.max(axis=-2)], axis=-1)


class EquivariantActorCritic(nn.Module):
    """A policy and a value on a `EquivariantBackbone`, with the interface of
    `agents.networks.ActorCritic`: the logit of an action is read from its cell and from the
    summary of all cells, the value from the summary.

    >>> from agents.memory import MEMORIES
    >>> backbone = EquivariantBackbone((MEMORIES["gru"](8),), cells=4, own=3)
    >>> network = EquivariantActorCritic(backbone, head_features=16)
    >>> x, start = jnp.ones((5, 2, 4 * 3 + 4 + 1)), jnp.zeros((5, 2), bool)
    >>> carry = network.initial_carry(2)
    >>> (carry, policy, value), _ = jax.jit(network.init_with_output)(
    ...     jax.random.key(0), carry, x, start
    ... )
    >>> policy.shape, value.shape
    ((5, 2, 4), (5, 2))
    """

    backbone: EquivariantBackbone
    head_features: int = 128
    squash: bool = False

    @property
    def num_actions(self) -> int:
        return self.backbone.cells

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        return self.backbone.initial_carry(batch_size)

    @nn.compact
    def __call__(
        self, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B cells"], Float[Array, "T B"]]:
        carry, features = self.backbone(carry, x, start)
        whole = summary(features)
        shape = (*features.shape[:-1], whole.shape[-1])
        features = jnp.concatenate(
            [features, jnp.broadcast_to(whole[..., None, :], shape)], axis=-1
        )
        policy = Head(1, self.head_features, scale=0.01, name="policy")(features)
        value = Head(1, self.head_features, scale=1.0, name="value")(whole)
        return carry, policy[..., 0], value[..., 0]
