"""What a cell of a study is: one environment, one memory, one way of training, some seeds."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import tyro

from agents.hyperparams import Hyperparams
from agents.lm import LMConfig
from agents.ppo import PPOConfig
from agents.ranges import Count, Within
from experiments.results.errors import UserError
from experiments.results.ranges import check, check_hyperparams
from popjax.registry import make
from popjax.spaces import Discrete
from popjax.words import nearest

LAST_SEED = 2**31 - 1
WIDEST = 2**16
Width = Annotated[int, Within(1, WIDEST)]
Seeds = Annotated[int, Within(1, 2**16)]
Steps = Annotated[int, Within(1, 10**13)]

DEFAULT_HYPERPARAMS = {
    f.name: float(getattr(Hyperparams(), f.name)) for f in dataclasses.fields(Hyperparams)
}


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of the network.

    >>> from experiments.train.build import memory_of
    >>> memory_of("gru", NetworkConfig(parameters=10_000)).features
    40
    """

    features: Width = 128
    """Width of the encoder and of the memory."""
    parameters: Annotated[int, Within(0, 10**10)] = 0
    """Choose the width so that a memory block has at most this many parameters; 0: `features`."""
    state: Annotated[int, Within(0, 10**9)] = 0
    """Choose the width so that a memory block's state has at most this many numbers; 0:
    `features`."""
    options: dict[str, int] = field(default_factory=dict)
    """Fields of the memory model that differ from their defaults, by name: `size 64`."""
    num_layers: Annotated[int, Within(1, 256)] = 1
    """Number of stacked memory blocks."""
    feed_forward: Annotated[int, Within(0, WIDEST)] = 0
    """Width of the feed-forward block after each memory; 0 for none."""
    head_features: Width = 128
    """Width of the two layers of each head, and of a published network's encoder."""
    style: Literal["residual", "cells", "paper", "popjaxrl", "places"] = "residual"
    """residual: residual blocks with norms; cells: the same blocks at every cell of a board or arm
    of a bandit, one for each action (formerly called places); paper, popjaxrl: the networks of
    those publications."""
    squash: bool = False
    """Squash continuous actions into their bounds with tanh; otherwise they are clipped."""
    joint: bool = False
    """One distribution over all combinations of an action's integers, such as row and column;
    otherwise they are drawn independently."""
    separate_critic: bool = False
    """A separate backbone for the value function."""

    def __post_init__(self):
        check(self)
        if self.style == "places":
            object.__setattr__(self, "style", "cells")


@dataclass(frozen=True)
class Settings:
    """How to train, the same for every cell of a sweep.

    >>> settings = Settings(seeds=2, hyperparams={"gamma": 0.9})
    >>> sorted(settings.plain("ppo").keys() & {"ppo", "lm"})
    ['ppo']
    """

    total_steps: Annotated[Steps | None, tyro.conf.arg(aliases=["--steps"])] = None
    """Environment steps per seed; by default 2 million for an agent, and for a language model what
    it needs."""
    seeds: Seeds = 3
    """Number of seeds, from `first_seed` on."""
    first_seed: Annotated[int, Within(0, LAST_SEED)] = 0
    """The first seed."""
    num_segments: Annotated[int, Within(1, 100_000)] = 20
    """Segments of training; after each, metrics and a checkpoint are written."""
    eval_episodes: Count = 256
    """Episodes in the evaluation of the final policy."""
    network: NetworkConfig = field(default_factory=NetworkConfig)
    """The sizes of the network."""
    ppo: PPOConfig = field(default_factory=PPOConfig)
    """How an agent is trained: what changes shapes or the program."""
    lm: LMConfig = field(default_factory=LMConfig)
    """How a language model is trained: what changes shapes or the program."""
    hyperparams: dict[str, float] = field(default_factory=dict)
    """Hyper-parameters that differ from their defaults, by name."""

    def __post_init__(self):
        check(self)
        if self.first_seed + self.seeds - 1 > LAST_SEED:
            raise UserError(f"the last of the seeds must be at most {LAST_SEED:,}")
        for name in self.hyperparams:
            if name not in DEFAULT_HYPERPARAMS:
                raise UserError(nearest(name, DEFAULT_HYPERPARAMS, "hyper-parameter"))
        check_hyperparams(self.hyperparams)

    def plain(self, regime: str) -> dict[str, Any]:
        """What a regime reads of it, as plain JSON data: no other regime's own part."""
        others = {"ppo", "lm"} - {own_part(regime)}
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in others}


def own_part(regime: str) -> str:
    """The name of the part of `Settings` that says how a regime gets its data.

    >>> own_part("ppo"), own_part("lm")
    ('ppo', 'lm')
    """
    return "ppo" if regime == "ppo" else "lm"


@dataclass(frozen=True)
class CellSpec:
    """One cell, fully resolved: equal specs give equal results on an equal machine.

    >>> from experiments.train.cell import cell
    >>> spec = cell("RepeatFirstEasy", "gru", Settings(total_steps=100_000, seeds=2))
    >>> spec.seeds, spec.num_updates, spec.env_steps  # 12 updates are paid for, of 64 x 128 steps
    ((0, 1), 12, 196608)
    """

    env: str
    memory: str
    settings: Settings
    regime: str = "ppo"
    source: str = field(default="", compare=False)
    """Where the settings come from, in words; decides nothing."""

    @property
    def seeds(self) -> tuple[int, ...]:
        first = self.settings.first_seed
        return tuple(range(first, first + self.settings.seeds))

    @property
    def updates_per_segment(self) -> int:
        """Every segment is equally long, so that one program serves all."""
        return max(1, self._affordable_updates // self.settings.num_segments)

    @property
    def num_updates(self) -> int:
        """As many whole segments as `total_steps` pays for, at least one."""
        per_segment = self.updates_per_segment
        return per_segment * (self._affordable_updates // per_segment)

    @property
    def _affordable_updates(self) -> int:
        return max(1, self.settings.total_steps // self.steps_per_update)

    @property
    def steps_per_update(self) -> int:
        """Environment steps of one update of one seed, those after an episode's end included."""
        if own_part(self.regime) == "ppo":
            return self.settings.ppo.steps_per_update
        return self.settings.lm.num_episodes * make(self.env).max_steps

    @property
    def env_steps(self) -> int:
        """Environment steps of all seeds together."""
        return self.num_updates * self.steps_per_update * len(self.seeds)

    @property
    def hyperparams(self) -> dict[str, float]:
        return DEFAULT_HYPERPARAMS | self.settings.hyperparams

    def resolved(self) -> dict[str, Any]:
        """Everything that decides the result, as plain JSON data."""
        plain = {"env": self.env, "memory": self.memory, "regime": self.regime}
        hyperparams = {k: str(v) for k, v in self.hyperparams.items()}
        settings = self.settings.plain(self.regime) | {"hyperparams": hyperparams}
        if "lm" in settings and isinstance(make(self.env).observation_space, Discrete):
            del settings["lm"]["observations"]  # bins and reals are for observations that are reals
        return plain | {"settings": settings}

    @property
    def id(self) -> str:
        """The name of the cell's folder: `id_of` the resolved spec."""
        return id_of(self.resolved())


def id_of(resolved: dict[str, Any]) -> str:
    """`<env>-<memory>-<hash of the resolved spec>`. The regime stands before the hash if it is not
    PPO.

    >>> from experiments.train.cell import cell
    >>> spec = cell("RepeatFirstEasy", "gru", Settings())
    >>> id_of(spec.resolved()) == spec.id, len(spec.id.split("-")[-1])
    (True, 10)
    """
    text = json.dumps(resolved, sort_keys=True)
    regime = "" if resolved["regime"] == "ppo" else f"{resolved['regime']}-"
    code = hashlib.sha256(text.encode()).hexdigest()[:10]
    return f"{resolved['env']}-{resolved['memory']}-{regime}{code}"
