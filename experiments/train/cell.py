"""A cell from the words that a person types."""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

from experiments.results.spec import (
    CellSpec,
    Settings,
)
from experiments.train.build import (
    env_name,
    memory_name,
)
from experiments.train.objectives import regime_name, with_objective_defaults
from popjax.places import is_place
from popjax.registry import SHIPPED, make


def cell(env: str, memory: str, settings: Settings, regime: str = "ppo") -> CellSpec:
    """A cell from names as a person writes them, and what its regime sets where `settings` are
    silent; a UserError names the nearest right word.

    >>> spec = cell("popgym-RepeatFirstEasy-v0", "GRU", Settings(seeds=2))
    >>> spec.env, spec.memory, spec.regime
    ('RepeatFirstEasy', 'gru', 'ppo')
    """

    regime, env, memory = regime_name(regime), env_name(env), memory_name(memory)
    settings = with_objective_defaults(settings, regime)
    return CellSpec(env, memory, settings, regime, own_code=own_code(env, memory))


def own_code(env: str, memory: str) -> str:
    """A hash of what the user's own environment and memory are made of, so that a cell is another
    once they are changed: the files that `module:NAME` lies in, the fields of an environment that
    was registered. Empty where both are of these packages.

    >>> own_code("RepeatFirstEasy", "gru")
    ''
    """
    parts = []
    for name in filter(is_place, (env, memory)):
        module = sys.modules[name.partition(":")[0]]
        file = getattr(module, "__file__", None)
        parts.append(Path(file).read_bytes() if file else name.encode())
    if env not in SHIPPED and not is_place(env):
        parts.append(re.sub(r" at 0x[0-9a-f]+", "", repr(make(env))).encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:10] if parts else ""
