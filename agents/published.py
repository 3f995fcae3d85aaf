"""Networks as others published them, for comparisons with their scores.

They stand where `agents.networks.Backbone` does: no residual path and no last norm, and the dense
layers are as wide as they were there. What is not said in a paper was read in its public code.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from agents.memory import Memory
from agents.memory.dense import Dense
from agents.memory.initialisers import orthogonal
from agents.memory.positions import PositionCode
from agents.networks import HeadInit

HEAD_INITS = {
    "paper": HeadInit(gain=1.0, policy=0.01, value=0.01, init="normal"),
    "popjaxrl": HeadInit(gain=2.0, policy=0.01, value=1.0),
}


class PaperBackbone(nn.Module):
    """The network of POPGym's paper up to its heads (Morad et al. 2023, arXiv 2303.01859).

        x -> linear -> layer norm without weights -> [position code] -> linear, LeakyReLU -> memory

    position_code: put in the sine code, see `paper_backbone`. Biases begin at zero.
    """

    memories: tuple[Memory, ...]
    dense: int = 128
    position_code: bool = False

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        time = jnp.zeros((batch_size,), jnp.int32)
        return time, tuple(memory.initial_carry(batch_size) for memory in self.memories)

    @nn.nowrap
    def state_size(self) -> int:
        """Numbers remembered for each sequence."""
        return sum(memory.state_size() for memory in self.memories)

    @nn.compact
    def __call__(
        self, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B features"]]:
        time, carries = carry
        x = Dense(self.dense, kernel_init=orthogonal(), name="encoder")(x)
        x = nn.LayerNorm(use_bias=False, use_scale=False)(x)
        if self.position_code:
            time, x = PositionCode(name="position")(time, x, start)
        x = nn.leaky_relu(Dense(self.dense, kernel_init=orthogonal(), name="before_memory")(x))
        carries, x = in_turn(self.memories, carries, x, start)
        return (time, carries), x


def paper_backbone(memories: tuple[Memory, ...], dense: int = 128) -> PaperBackbone:
    """With the position code before the second linear layer where the memory was published with
    one (its own `position_code`, which is then left out)."""
    if not hasattr(memories[0], "position_code"):
        return PaperBackbone(memories, dense)
    return PaperBackbone(tuple(m.clone(position_code=False) for m in memories), dense, True)


class PopjaxrlBackbone(nn.Module):
    """The network of popjaxrl up to its heads (Lu et al. 2023, arXiv 2303.03982).

        x -> linear, LeakyReLU -> linear, LeakyReLU -> memories

    the second layer as wide as the memory. Its stack of four S5 layers adds each layer's output to
    its input (`residual`).
    """

    memories: tuple[Memory, ...]
    dense: int = 128
    residual: bool = False

    @nn.nowrap
    def initial_carry(self, batch_size: int) -> Any:
        return tuple(memory.initial_carry(batch_size) for memory in self.memories)

    @nn.nowrap
    def state_size(self) -> int:
        """Numbers remembered for each sequence."""
        return sum(memory.state_size() for memory in self.memories)

    @nn.compact
    def __call__(
        self, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B features"]]:
        for i, width in enumerate((self.dense, self.memories[0].features)):
            layer = Dense(width, kernel_init=orthogonal(2**0.5), name=f"encoder_{i}")
            x = nn.leaky_relu(layer(x))
        return in_turn(self.memories, carry, x, start, self.residual)


def in_turn(memories, carries, x, start, residual: bool = False):
    """The memories one after another: carries, outputs."""
    after = []
    for memory, carry in zip(memories, carries, strict=True):
        carry, y = memory(carry, x, start)
        after.append(carry)
        x = x + y if residual else y
    return tuple(after), x
