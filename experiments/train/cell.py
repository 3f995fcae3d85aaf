"""A cell from the words that a person types."""

from __future__ import annotations

from experiments.results.spec import (
    CellSpec,
    Settings,
)
from experiments.train.build import (
    env_name,
    memory_name,
)
from experiments.train.objectives import regime_name, with_objective_defaults


def cell(env: str, memory: str, settings: Settings, regime: str = "ppo") -> CellSpec:
    """A cell from names as a person writes them, and what its regime sets where `settings` are
    silent; a UserError names the nearest right word.

    >>> spec = cell("popgym-RepeatFirstEasy-v0", "GRU", Settings(seeds=2))
    >>> spec.env, spec.memory, spec.regime
    ('RepeatFirstEasy', 'gru', 'ppo')
    """

    regime = regime_name(regime)
    return CellSpec(
        env_name(env), memory_name(memory), with_objective_defaults(settings, regime), regime
    )
