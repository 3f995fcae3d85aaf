"""Named sweeps, and the settings they train with."""

from __future__ import annotations

from dataclasses import dataclass

from agents.memory import MEMORIES
from experiments.errors import UserError
from experiments.specs import NetworkConfig, Settings
from popjax.registry import ENVS
from popjax.words import nearest


@dataclass(frozen=True)
class Preset:
    """Which cells, and how they are trained."""

    about: str
    level: str
    memories: tuple[str, ...]
    settings: Settings

    @property
    def envs(self) -> tuple[str, ...]:
        return tuple(name for name in ENVS if name.endswith(self.level))


PRESETS = {
    "quick": Preset(
        about="every Easy environment, GRU, 2 seeds: a first look within ten minutes on 2 cores",
        level="Easy",
        memories=("gru",),
        settings=Settings(
            total_steps=100_000,
            seeds=2,
            num_segments=4,
            eval_episodes=128,
            network=NetworkConfig(features=64, head_features=64),
        ),
    ),
    "easy": Preset(
        about="every Easy environment, every memory, 3 seeds of 2 million steps",
        level="Easy",
        memories=tuple(MEMORIES),
        settings=Settings(),
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name; a UserError names the nearest one."""
    if name not in PRESETS:
        raise UserError(nearest(name, PRESETS, "preset"))
    return PRESETS[name]
