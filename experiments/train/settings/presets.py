"""Named settings, and named sweeps that train with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from agents.memory import MEMORIES
from experiments.results.errors import UserError
from experiments.results.spec import NetworkConfig, Settings
from experiments.train.settings.named import paper, popjaxrl
from experiments.train.settings.tuned import best_memory, borrowed, tuned, tuned_memories
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
    line = f"{never}: --settings fast takes {instead}"
    if found := [name for name in tuned_memories(env) if name != memory]:
        line += f" (tuned: {', '.join(found)})"
    return f"fast: {never}, {instead}", line


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
    """Which cells, and how they are trained.

    settings: the same for all cells, or the name of the settings of each.
    memories: of every environment; empty for the best one of each.
    steps: environment -> `total_steps` in the place of those of its settings. Where it is given,
        its environments are those of the preset, from those that learn fastest on.
    hyperparams: environment -> those that differ from its settings.
    changes: other fields of `Settings` that the preset sets.
    """

    about: str
    level: str
    memories: tuple[str, ...]
    settings: Settings | str
    steps: Mapping[str, int] = field(default_factory=dict)
    hyperparams: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)

    @property
    def envs(self) -> tuple[str, ...]:
        return tuple(self.steps) or tuple(name for name in ENVS if name.endswith(self.level))

    def memories_of(self, env: str) -> tuple[str, ...]:
        """The memories that play an environment."""
        return self.memories or (best_memory(env),)

    def settings_of(self, env: str, memory: str) -> Settings:
        """How a cell is trained."""
        settings = self.settings
        if isinstance(settings, str):
            settings = named_settings(settings, env, memory)
        changes = dict(self.changes)
        if env in self.steps:
            changes["total_steps"] = self.steps[env]
        own = settings.hyperparams | dict(self.hyperparams.get(env, {}))
        return dataclasses.replace(settings, **changes, hyperparams=own)

    def source_of(self, env: str, memory: str) -> tuple[str, str]:
        """Where these come from: see `source_of`."""
        return source_of(self.settings, env, memory) if isinstance(self.settings, str) else ("", "")


QUICK_STEPS = {  # what takes least time first: the fewest steps known to reach the goal
    "RepeatFirstEasy": 65_536,
    "RepeatPreviousEasy": 65_536,
    "PositionOnlyCartPoleEasy": 300_000,
    "VelocityOnlyCartPoleEasy": 120_000,
    "HigherLowerEasy": 130_000,
    "LabyrinthExploreEasy": 300_000,
    "NoisyPositionOnlyCartPoleEasy": 1_000_000,
    "PositionOnlyPendulumEasy": 1_000_000,
    "LabyrinthEscapeEasy": 1_500_000,
    "ConcentrationEasy": 100_000,
    "NoisyPositionOnlyPendulumEasy": 1_500_000,
    "CountRecallEasy": 600_000,
    "MultiarmedBanditEasy": 1_200_000,
    "MineSweeperEasy": 300_000,
    "AutoencodeEasy": 1_200_000,
    "BattleshipEasy": 60_000,  # too few: it needs eight minutes
}
PRESETS = {
    "quick": Preset(
        about="every Easy environment with its fast settings, 1 seed, few steps: about ten minutes "
        "on 2 cores",
        level="Easy",
        memories=(),
        settings="fast",
        steps=QUICK_STEPS,
        hyperparams={"CountRecallEasy": {"learning_rate": 0.002}},  # for so few steps
        changes={"seeds": 1, "num_segments": 10, "eval_episodes": 128},
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


PRESETS_OF_MODELS = {
    "quick": Preset(
        about="every Easy environment, GRU, 2 seeds: a first look at language models",
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
}
"""Presets that are others where the regime is not PPO, for which no `fast` settings are known."""


def preset(name: str, regime: str = "ppo") -> Preset:
    """The preset of that name; a UserError names the nearest one.

    >>> preset("quick").memories_of("CountRecallEasy"), preset("quick", "lm").memories
    (('s5',), ('gru',))
    """
    if regime != "ppo" and name in PRESETS_OF_MODELS:
        return PRESETS_OF_MODELS[name]
    if name not in PRESETS:
        raise UserError(nearest(name, PRESETS, "preset"))
    return PRESETS[name]
