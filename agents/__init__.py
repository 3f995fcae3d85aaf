"""Memory models, PPO, and the other ways to train them.

policy = agents.load("results/train/<cell>/policy.npz")
"""

from typing import Any

_OF_POLICY = ("Policy", "PolicyError", "load")
__all__ = [*_OF_POLICY]


def __getattr__(name: str) -> Any:
    """`load` and what belongs to it, imported when first used: a memory model alone needs less."""
    if name in _OF_POLICY:
        from agents import policy

        return getattr(policy, name)
    raise AttributeError(f"module 'agents' has no attribute {name!r}")
