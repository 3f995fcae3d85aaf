"""Named settings, and named sweeps that train with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from agents.memory import MEMORIES
from experiments.results.errors import UserError
from experiments.results.spec import NetworkConfig, Settings
from experiments.train.settings.named import paper, popjaxrl
from experiments.train.settings.tuned import best_memory, borrowed, tuned
from popjax.registry import ENVS
from popjax.words import nearest

NAMED_SETTINGS: dict[str, Callable[[str, str], Settings]] = {
    "default": lambda env, memory: Settings(),
    "fast": tuned,
    "paper": paper,
    "popjaxrl": popjaxrl,
}


def named_settings(name: str, env: str, memory: str) -> Settings:
    """The settings of that name for an environment and a memory, both by their canonical names."""
    if name not in NAMED_SETTINGS:
        raise UserError(nearest(name, NAMED_SETTINGS, "settings"))
    return NAMED_SETTINGS[name](env, memory)


def source_of(name: str, env: str, memory: str) -> tuple[str, str]:
    """Where named settings come from, and what a caller must know of that; "" if nothing.

    >>> source_of("fast", "RepeatPreviousEasy", "gru")
    ('fast', '')
    >>> source_of("fast", "RepeatPreviousHard", "lru")[1]
    'RepeatPreviousHard with lru was never tuned: --settings fast takes the defaults'
    """
    instead = borrowed(env, memory) if name == "fast" else ""
    if not instead:
        return name, ""
    never = f"{env} with {memory} was never tuned"
    return f"fast: {never}, {instead}", f"{never}: --settings fast takes {instead}"


def without_overrides(settings: Settings) -> Settings:
    """Settings as the defaults of a command: without the tables of which a caller names a part."""
    network = dataclasses.replace(settings.network, options={})
    return dataclasses.replace(settings, network=network, hyperparams={})


def merge_overrides(given: Settings, named: Settings) -> Settings:
    """Named settings with what a caller changed; tables are changed in part, not replaced."""
    network = dataclasses.replace(
        given.network, options=named.network.options | given.network.options
    )
    hyperparams = named.hyperparams | given.hyperparams
    return dataclasses.replace(given, network=network, hyperparams=hyperparams)


@dataclass(frozen=True)
class Preset:
    """Which cells, and how they are trained: one for all, or as named settings say for each."""

    about: str
    level: str
    memories: tuple[str, ...]
    settings: Settings | str

    @property
    def envs(self) -> tuple[str, ...]:
        return tuple(name for name in ENVS if name.endswith(self.level))

    def memories_of(self, env: str) -> tuple[str, ...]:
        """The memories that play an environment."""
        return self.memories or (best_memory(env),)

    def settings_of(self, env: str, memory: str) -> Settings:
        """How a cell is trained."""
        if isinstance(self.settings, Settings):
            return self.settings
        return named_settings(self.settings, env, memory)

    def source_of(self, env: str, memory: str) -> tuple[str, str]:
        """Where these come from: see `source_of`."""
        return source_of(self.settings, env, memory) if isinstance(self.settings, str) else ("", "")


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
    "fast": Preset(
        about="every Easy environment with the memory and the settings that search found best",
        level="Easy",
        memories=(),
        settings="fast",
    ),
    "paper": Preset(
        about="the paper's table: every environment, every memory, 3 seeds of 15 million steps",
        level="",
        memories=tuple(MEMORIES),
        settings="paper",
    ),
    "popjaxrl": Preset(
        about="every environment with popjaxrl's settings and its two memories",
        level="",
        memories=("gru", "s5"),
        settings="popjaxrl",
    ),
}


def preset(name: str) -> Preset:
    """The preset of that name; a UserError names the nearest one."""
    if name not in PRESETS:
        raise UserError(nearest(name, PRESETS, "preset"))
    return PRESETS[name]
