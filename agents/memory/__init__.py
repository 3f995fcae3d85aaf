"""The memory models by name: `MEMORIES["gru"](features=256)`."""

from agents.memory.base import Carry, Memory
from agents.memory.gru import GRU
from agents.memory.mlp import MLP

MEMORIES: dict[str, type[Memory]] = {
    "mlp": MLP,
    "gru": GRU,
}

__all__ = ["MEMORIES", "Carry", "Memory"]
