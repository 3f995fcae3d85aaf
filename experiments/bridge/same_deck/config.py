"""Same deck, different memory: does an agent remember what a language model remembers?

Networks of one shape, from the same seeds, on the same cards, differ in their feedback alone:

    LM       R0     cross-entropy on the next card
    label    R1     cross-entropy on the right answer
    both     R-all  both, on an expert's transcript
    verdict  R3b    right or wrong, on the answer it gave
    rewards  R4     the rewards from there on, beside a critic: PPO with one pass, undiscounted
    sum      R5     their sum, at the end
    untrained       nothing

Tasks form four classes of overlap (`experiments.bridge.measures.overlap`): in RepeatFirst and
RepeatPrevious acting and predicting need different information, in CountRecall predicting needs
what acting does and more, in Autoencode the reverse, and in the others both need the same. Both
suits games share one language model, because their cards are the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from agents.lm import LMConfig
from agents.networks import Backbone, LanguageModel
from agents.objectives import OBJECTIVES, Objective
from agents.own_memory import memory_class
from experiments.bridge.decks import TINY
from experiments.bridge.measures.held import NOISES
from experiments.bridge.measures.overlap import CAUSAL, deck_of
from experiments.bridge.rates import FEW, MANY
from popjax import make
from popjax.core import Environment
from popjax.tokens import target_of
from popjax.tokens.corpora import corpus


@dataclass(frozen=True)
class Condition:
    """An objective, and the heads it trains: of the next "token", of the "action"."""

    rung: Objective
    says: tuple[str, ...]

    @property
    def needs(self) -> tuple[str, ...]:
        """The statistics it needs: "lm" to predict, "rl" to act."""
        return tuple({"token": "lm", "action": "rl"}[says] for says in self.says)


KINDS: dict[str, Condition] = {
    "LM": Condition(OBJECTIVES["next_obs"], ("token",)),
    "label": Condition(OBJECTIVES["clone"], ("action",)),
    "verdict": Condition(OBJECTIVES["bandit"], ("action",)),
    "both": Condition(OBJECTIVES["all"], ("token", "action")),
    "rewards": Condition(
        replace(OBJECTIVES["grpo_step"], rung="R4", group=1, baseline="value"), ("action",)
    ),
    "sum": Condition(OBJECTIVES["sum_to_end"], ("action",)),
}
UNTRAINED = "untrained"
THREE = ("LM", "label", "verdict")
TASKS = ("RepeatFirst", "RepeatPrevious", "CountRecall")
MORE = ("Autoencode", "HigherLower", "MultiarmedBandit", "Concentration")
DECKS: dict[str, dict[str, Environment]] = {
    "tiny": TINY,
    "easy": {name: make(f"{name}Easy") for name in (*TASKS, *MORE)},
}
LEAST_COMPETENCE, MOST_EXCESS = 0.95, 0.02
"""Networks are compared if the agent reaches this share of the value of memory, and the language
model is at most this many nats per token above the floor."""
ALIVE = 0.8
"""For tasks with varying episode length: the share of histories that last until the last probed
step."""


@dataclass(frozen=True)
class SameDeckConfig:
    """All settings that determine the result.

    decks: of the tasks. num_tokens: per seed. num_looks: evaluations of competence, at equal ratios
    of updates. num_decks: held-out decks of every measurement. num_steps: probed steps of the
    episode. rows: of states compared. edits: edited histories. kinds: of feedback. layers: stacked
    memory layers. longer: factor on the tokens of those that learn from sums. judged: decks on
    which competence is measured. rates: learning rates, each tuned with `trials` seeds, for every
    cell; if empty, all use `learning_rate`. noises: added to probed states, in standard deviations
    of a unit; the first is 0.
    """

    memory: str = "gru"
    seeds: int = 5
    tasks: tuple[str, ...] = TASKS
    decks: str = "tiny"
    features: int = 48
    num_episodes: int = 64
    num_tokens: int = 400_000
    num_looks: int = 30
    num_decks: int = 2000
    num_steps: int = 4
    rows: int = 2048
    edits: int = 1024
    learning_rate: float = 3e-3
    kinds: tuple[str, ...] = THREE
    layers: int = 1
    longer: int = 1
    judged: int = 512
    rates: tuple[float, ...] = ()
    trials: int = 2
    noises: tuple[float, ...] = NOISES

    @property
    def all(self) -> tuple[str, ...]:
        """The kinds, and untrained networks."""
        return (*self.kinds, UNTRAINED)

    @property
    def agents(self) -> tuple[str, ...]:
        """The kinds that act and do not predict."""
        return tuple(kind for kind in self.kinds if KINDS[kind].says == ("action",))

    def env(self, task: str) -> Environment:
        return DECKS[self.decks][task]

    def network(self, task: str) -> LanguageModel:
        env, memory = self.env(task), memory_class(self.memory)
        backbone = Backbone(tuple(memory(features=self.features) for _ in range(self.layers)))
        actions = env.action_space.num_values
        return LanguageModel(backbone, target_of(env).sizes, actions, self.features)

    def config(self, task: str) -> LMConfig:
        """The inputs. Where obs depend on actions, histories come from a mixture of players and
        include the previous action."""
        player = "mixture" if task in CAUSAL else "random"
        return LMConfig(self.num_episodes, player=player)

    def cell(self, task: str, kind: str) -> tuple[str, str]:
        """The task and kind of the networks used for these: both suits games have the same cards
        and share one language model."""
        shared = kind == "LM" and task == "RepeatPrevious" and "RepeatFirst" in self.tasks
        return ("RepeatFirst" if shared else task), kind

    @property
    def cells(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys(self.cell(t, k) for t in self.tasks for k in self.kinds))

    def num_updates(self, task: str, kind: str = "") -> int:
        tokens = self.num_tokens * (self.longer if kind == "sum" else 1)
        return max(1, tokens // (self.num_episodes * self.env(task).max_steps))

    def looks(self, task: str, kind: str = "") -> list[int]:
        """The updates after which competence is measured."""
        later = np.geomspace(1, self.num_updates(task, kind), self.num_looks).round().astype(int)
        return [0, *np.unique(later).tolist()]

    def times(self, task: str) -> tuple[int, ...]:
        """The steps, counted from 0, after whose card states are probed."""
        first, last = steps_of(self.env(task))
        spread = np.linspace(max(1, first - 1), last - 1, self.num_steps).round().astype(int)
        return tuple(np.unique(spread).tolist())


@cache
def steps_of(env: Environment) -> tuple[int, int]:
    """Tokens seen at the first and last probed step: those at which an action is rewarded, or,
    where episodes differ in length, up to the step that most of them reach."""
    if env.name not in CAUSAL:
        return deck_of(env).steps
    lengths = np.asarray(corpus(env, "mixture", 2**20, 256).lengths)
    last = int(np.quantile(lengths, 1 - ALIVE))
    return max(2, last // 8), last - 1


MEMORIES_OF = {"gpu": ("gru", "s5", "mamba", "transformer")}
"""The default memories of a preset, each a separate study."""
REAL = SameDeckConfig(
    seeds=8, tasks=(*TASKS, "HigherLower"), decks="easy", num_tokens=2_000_000, rates=FEW[1:3]
)
"""The registered environments instead of tiny decks."""
PRESETS = {
    "mini": SameDeckConfig(seeds=8, rates=FEW),  # some of those with verdicts stay on plateaus
    **{f"real-{width}": replace(REAL, features=width) for width in (8, 16, 48)},
    "gpu": SameDeckConfig(
        seeds=10,
        tasks=(*TASKS, *MORE),
        decks="easy",
        features=128,
        num_episodes=256,
        num_tokens=10_000_000,
        num_decks=9000,
        rows=4096,
        edits=4096,
        learning_rate=1e-3,
        kinds=tuple(KINDS),
        layers=2,
        longer=5,
        judged=4096,
        rates=MANY,
    ),
    "smoke": SameDeckConfig(
        tasks=("RepeatFirst", "RepeatPrevious"),
        features=8,
        num_episodes=8,
        num_tokens=1200,
        num_looks=3,
        num_decks=240,
        num_steps=2,
        rows=64,
        edits=32,
        rates=FEW[1:3],
        trials=1,
    ),
}
