"""The kinship table: what is trained, how it is tuned, and the registered predictions.

A cell is a task and an architecture. Three kinds of networks have its backbone, the same initial
weights seed by seed, and read the same observations:

    agent       PPO on the task's own rewards; the value has a backbone of its own
    model       cross-entropy on the next observation
    untrained   the initial weights

Everything here was fixed before the runs; `CHANGED` lists later changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agents.lm import LMConfig, inputs_of
from agents.ppo import PPOConfig
from experiments.results.errors import UserError
from experiments.results.seeds import TUNING_SEEDS
from experiments.results.spec import CellSpec, NetworkConfig, Settings
from experiments.train.build import env_name, memory_name
from experiments.train.cell import cell
from popjax import make
from popjax.words import nearest

KINDS = ("agent", "model", "untrained")
COSTUMES = {"agent": "ppo", "model": "lm"}
FAMILIES = ("RepeatFirst", "RepeatPrevious", "CountRecall", "HigherLower")
MEMORIES = ("lstm", "gru", "transformer", "s4", "mamba")
REGISTERED = {
    "RepeatFirst": "different",
    "RepeatPrevious": "different",
    "CountRecall": "one-sided",
    "HigherLower": "same",
}
"""The verdict that the rules of each game predict, see `experiments.bridge.measures.overlap`."""
CHANGED: tuple[str, ...] = (
    "2026-12-01: training budgets were lowered after tuning runs of RepeatFirst with gru had been "
    "seen (agents at 1.00, models 0.004 nats above the floor) and before any cell was finished: "
    "agents from 600k, 800k and 2M steps to 300k, 400k and 1M (RepeatFirst, RepeatPrevious, "
    "HigherLower), models from 4M and 6M tokens to 2M (suits games) and 4M (the others).",
)
"""Changes made after seeing results, with the date and the reason."""


@dataclass(frozen=True)
class KinshipConfig:
    """All settings that determine the result.

    features: width of the backbone and the heads. seeds: per cell; cells in `many` have twice as
    many. rates: learning rates, each tuned with `trials` seeds for `share` of the steps, alike for
    both costumes: the lowest rate within a standard error of the best mean is used. agent_steps,
    model_steps: per family. histories: held out, read by all networks. episodes: played with
    exchanged states. times: number of probed steps. lags: of the forgetting curves.
    """

    envs: tuple[str, ...] = tuple(f"{family}Easy" for family in FAMILIES)
    memories: tuple[str, ...] = MEMORIES
    features: int = 64
    seeds: int = 5
    many: tuple[str, ...] = ("RepeatFirstEasy", "RepeatPreviousEasy")
    rates: tuple[float, ...] = (1e-3, 2e-3, 4e-3)
    trials: int = 2
    share: float = 0.4
    agent_steps: Mapping[str, int] = field(default_factory=dict)
    model_steps: Mapping[str, int] = field(default_factory=dict)
    histories: int = 1536
    episodes: int = 256
    times: int = 3
    lags: int = 16
    memory: str = "gru"

    def seeds_of(self, env: str) -> int:
        return self.seeds * (2 if env in self.many else 1)

    @property
    def cells(self) -> list[tuple[str, str]]:
        return [(env, memory) for env in self.envs for memory in self.memories]


FULL = KinshipConfig(
    agent_steps={
        "RepeatFirstEasy": 300_000,
        "RepeatPreviousEasy": 400_000,
        "CountRecallEasy": 3_000_000,
        "HigherLowerEasy": 1_000_000,
    },
    model_steps={
        "RepeatFirstEasy": 2_000_000,
        "RepeatPreviousEasy": 2_000_000,
        "CountRecallEasy": 4_000_000,
        "HigherLowerEasy": 4_000_000,
    },
)
PRESETS = {
    "full": FULL,
    "mini": replace(
        FULL,
        envs=("RepeatFirstEasy",),
        memories=("gru",),
        seeds=3,
        many=(),
        rates=(2e-3,),
        trials=1,
        agent_steps={**FULL.agent_steps, "RepeatFirstEasy": 150_000},
        model_steps={**FULL.model_steps, "RepeatFirstEasy": 1_000_000},
        histories=768,
    ),
    "smoke": replace(
        FULL,
        envs=("RepeatFirstEasy",),
        memories=("gru",),
        features=8,
        seeds=2,
        many=(),
        rates=(2e-3, 4e-3),
        trials=1,
        agent_steps=dict.fromkeys(FULL.agent_steps, 4000),
        model_steps=dict.fromkeys(FULL.model_steps, 8000),
        histories=120,
        episodes=8,
        times=1,
        lags=3,
    ),
}
AGENT = Settings(
    num_segments=10,
    eval_episodes=512,
    ppo=PPOConfig(num_envs=16, num_steps=102, num_minibatches=4),
    hyperparams={"gamma": 0.0, "gae_lambda": 0.0},
)
"""Rewards in these families immediately follow the action that earned them, so gamma is 0, as in
the `fast` settings of both families listed there."""
MODEL = Settings(num_segments=4, eval_episodes=512, lm=LMConfig(num_episodes=32))
OWN = {
    "CountRecallEasy": {"entropy": 0.02},
}
"""Hyper-parameters of agents, as in the `fast` settings of the family."""


def settings_of(config: KinshipConfig, env: str, costume: str, rate: float) -> Settings:
    """Steps of a reporting run."""
    size = NetworkConfig(
        features=config.features, head_features=config.features, separate_critic=True
    )
    base = AGENT if costume == "agent" else MODEL
    steps = config.agent_steps if costume == "agent" else config.model_steps
    own = OWN.get(env, {}) if costume == "agent" else {}
    if env not in steps:
        raise UserError(nearest(env, steps, "environment of the kinship table"))
    inputs = inputs_of(make(env), base.lm)
    return replace(
        base,
        total_steps=steps[env],
        seeds=config.seeds_of(env),
        network=size,
        ppo=replace(base.ppo, inputs=inputs),
        hyperparams=base.hyperparams | own | {"learning_rate": rate},
    )


def spec_of(
    config: KinshipConfig, env: str, memory: str, costume: str, rate: float, tuning: bool = False
) -> CellSpec:
    """The cell to train: with reporting seeds, or with tuning seeds for a share of the steps."""
    settings = settings_of(config, env, costume, rate)
    if tuning:
        steps = max(1, round(settings.total_steps * config.share))
        settings = replace(
            settings,
            total_steps=steps,
            seeds=config.trials,
            first_seed=TUNING_SEEDS[0],
            num_segments=2,
        )
    return cell(env, memory, settings, COSTUMES[costume])


def config_with(preset: str, envs: tuple[str, ...], memories: tuple[str, ...]) -> KinshipConfig:
    """A preset with other environments or memories."""
    if preset not in PRESETS:
        raise UserError(nearest(preset, PRESETS, "preset"))
    chosen = PRESETS[preset]
    known = FULL.agent_steps
    envs = tuple(env_name(env) for env in envs) or chosen.envs
    for env in envs:
        if env not in known:
            raise UserError(nearest(env, known, "environment of the kinship table"))
    memories = tuple(memory_name(memory) for memory in memories) or chosen.memories
    return replace(chosen, envs=envs, memories=memories)
