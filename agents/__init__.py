"""Memory models, PPO, and the other ways to train them.

trained = agents.train(popjax.make("RepeatPreviousEasy"), memory="gru", total_steps=300_000)
trained.save("policy.npz")
policy = agents.load("policy.npz")
"""

import importlib
from typing import Any

_HOMES = {
    "Policy": "policy",
    "PolicyError": "policy",
    "load": "policy",
    "TrainedAgent": "trained",
    "train": "trained",
}
__all__ = ["Policy", "PolicyError", "TrainedAgent", "load", "train"]


def __getattr__(name: str) -> Any:
    """Imported when first used: a memory model alone needs less."""
    if name in _HOMES:
        return getattr(importlib.import_module(f"agents.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'agents' has no attribute {name!r}")
