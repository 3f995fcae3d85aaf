"""Opening and closing the loop: what a model does when it reads its own outputs.

Three games and a frontier. RepeatFirst with the previous action as input, where a clone can copy
itself; a bandit, where the clone of an expert that sees the best arm takes its own first guess for
evidence; a language model that generates a deck; and what an agent forgets of the deck when tuned
for reward, at several KL penalties to its initial policy. Some presets add boards, where actions
affect observations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

from agents.choices import sizes_of
from agents.networks import Backbone, LanguageModel
from agents.objectives import OBJECTIVES, Objective, signals
from agents.own_memory import memory_class
from experiments.bridge.decks import TINY
from popjax import make as make_env
from popjax.core import Environment
from popjax.envs.multiarmed_bandit import MultiarmedBandit
from popjax.tokens import target_of

REWARDS = replace(
    OBJECTIVES["sum_to_end"],
    rung="R4",
    about="the environment's rewards to come, step by step",
    signal=signals.rewards,
    feedback="verdicts",
)
"""PPO with one epoch per batch, so no ratio is ever clipped; with a critic."""


@dataclass(frozen=True)
class BoardCondition:
    """One objective. player: the fixed player that generates histories, where one does."""

    title: str
    regime: Objective
    player: str = "reference"

    def sized(self, num_episodes: int) -> Objective:
        """The objective with groups that fill a batch of so many episodes."""
        return replace(self.regime, group=gcd(self.regime.group, num_episodes))


BOARD_WAYS = {
    "clone": BoardCondition("clone (R1)", OBJECTIVES["clone"]),
    "any": BoardCondition("labels on any history (R1')", OBJECTIVES["clone_any"], "mixture"),
    "dagger": BoardCondition("DAgger (R2)", OBJECTIVES["dagger"]),
    "rewards": BoardCondition("rewards (R4)", REWARDS),
    "group": BoardCondition("returns, group baseline (R7)", OBJECTIVES["grpo"]),
}
TUNED = "tuned"
"""The part in which a model of mediocre play is tuned for reward with a KL penalty (R6)."""
BOARD_PARTS = ("players", *BOARD_WAYS, TUNED)


@dataclass(frozen=True)
class Condition:
    """One training condition.

    feedback: the right action ("label") or the rewards. teacher_acts: on the expert's histories,
    else the learner's own. previous_action: whether it is an input. sees_best: the expert sees
    which arm is best. memory: overrides the requested one.
    """

    title: str
    feedback: str = "label"
    teacher_acts: bool = False
    previous_action: str = "on"
    sees_best: bool = False
    memory: str | None = None


DECK_WAYS = {
    "clone": Condition("clone (R1)", teacher_acts=True),
    "memoryless": Condition("clone, no memory", teacher_acts=True, memory="mlp"),
    "dagger": Condition("DAgger (R2)"),
    "blind": Condition("clone, own actions hidden", teacher_acts=True, previous_action="off"),
    "rewards": Condition("rewards (R4)", feedback="rewards"),
}
"""The clone can copy or remember, the memoryless one can only copy, DAgger is corrected on its
own histories, the blind one can only remember."""
CRITERION = 0.99
STOPS = ("99 %", "end")
"""When a network on a deck is evaluated: when it first predicts this share of the expert's actions
on new decks, checked every few updates, and at the end."""
GAMES = ("decks", "bandit", "dreams", "frontier")
BANDIT_WAYS = {
    "privileged": Condition("clone of the seeing expert (R1)", teacher_acts=True, sees_best=True),
    "masked": Condition(
        "the same, own actions hidden", teacher_acts=True, previous_action="off", sees_best=True
    ),
    "history": Condition("clone of an expert with memory (R1)", teacher_acts=True),
    "dagger": Condition("labels of the seeing expert (R2)", sees_best=True),
    "rewards": Condition("rewards (R4)", feedback="rewards", sees_best=True),
}
"""The last does not use its expert; setting it lets one program train three of them."""


def rungs(gamma: float, num_episodes: int) -> dict[str, Objective]:
    """The kinds of feedback: the label, or the environment's rewards minus the batch mean at the
    same step. The latter is PPO with one epoch per batch, so no ratio is ever clipped."""
    rewards = replace(OBJECTIVES["grpo_step"], rung="R4", group=num_episodes, gamma=gamma)
    return {"label": OBJECTIVES["dagger"], "rewards": rewards}


@dataclass(frozen=True)
class LoopConfig:
    """All settings that determine the result.

    updates: of each game, in the order decks, bandit, dreams, frontier (before and after).
    looks: evaluations of a deck during training. judged: episodes per evaluation. games: which of
    `GAMES` are run. deck_ways: training conditions on a deck. levels: further levels to evaluate
    on. boards: names of environments. board_updates: on each, for one condition, and before and
    after tuning.
    """

    memory: str = "gru"
    seeds: int = 5
    features: int = 48
    head_features: int = 32
    num_episodes: int = 32
    learning_rate: float = 2e-3
    updates: tuple[int, int, int, int, int] = (400, 600, 800, 400, 500)
    looks: int = 40
    judged: int = 256
    arms: int = 3
    pulls: int = 30
    betas: tuple[float, ...] = (0.0, 0.01, 0.03, 0.1)
    decks: tuple[str, ...] = ("tiny", "RepeatFirstEasy")
    games: tuple[str, ...] = GAMES
    deck_ways: tuple[str, ...] = ("clone", "dagger", "rewards")
    levels: tuple[str, ...] = ()
    boards: tuple[str, ...] = ()
    board_updates: tuple[int, ...] = ()

    @property
    def bandit(self) -> MultiarmedBandit:
        return MultiarmedBandit(num_arms=self.arms, max_steps=self.pulls)

    def deck(self, name: str) -> Environment:
        return TINY["RepeatFirst"] if name == "tiny" else make_env(name)

    @property
    def ways(self) -> dict[str, Condition]:
        """The training conditions on a deck, without duplicates."""
        chosen = {name: DECK_WAYS[name] for name in self.deck_ways}
        return {name: way for name, way in chosen.items() if way.memory != self.memory}

    def network(self, env: Environment, memory: str | None = None) -> LanguageModel:
        backbone = Backbone((memory_class(memory or self.memory)(features=self.features),))
        return LanguageModel(backbone, target_of(env).sizes, sum(sizes_of(env)), self.head_features)

    @property
    def parts(self) -> list[tuple[str, str]]:
        """(game, condition in it)."""
        of = {
            "decks": [(f"deck {deck}", way) for deck in self.decks for way in self.ways],
            "bandit": [("bandit", way) for way in ("players", *BANDIT_WAYS)],
            "dreams": [("dreams", deck) for deck in self.decks],
            "frontier": [("frontier", "tuning")],
        }
        boards = [(f"board {board}", what) for board in self.boards for what in BOARD_PARTS]
        return [part for game in self.games for part in of[game]] + boards


MEMORIES_OF = {"gpu": ("gru", "s5", "transformer")}
"""The default memories of a preset, each a separate study."""
PRESETS = {
    "mini": LoopConfig(),
    "gpu": LoopConfig(
        seeds=10,
        features=128,
        head_features=128,
        num_episodes=256,
        learning_rate=1e-3,
        updates=(4000, 20000, 8000, 2000, 4000),
        looks=200,
        judged=4096,
        arms=10,
        pulls=200,
        betas=(0.0, 1e-3, 1e-2, 3e-2, 1e-1),
        decks=("tiny", "RepeatFirstEasy", "RepeatFirstMedium"),
        boards=("ConcentrationEasy", "MineSweeperEasy"),
        board_updates=(20000, 4000, 8000),
    ),
    "smoke": LoopConfig(
        features=8,
        head_features=8,
        num_episodes=4,
        updates=(4, 4, 4, 4, 4),
        looks=2,
        judged=16,
        pulls=6,
        betas=(0.0, 0.1),
        decks=("tiny",),
    ),
}


def title_of(game: str, what: str) -> str:
    """In words."""
    if game.startswith("board "):
        return BOARD_WAYS[what].title if what in BOARD_WAYS else what
    ways = BANDIT_WAYS if game == "bandit" else DECK_WAYS
    return ways[what].title if what in ways and game != "dreams" else what
