"""The cost of a verdict: how far does supervision alone explain the gap between the costumes?

The same network plays its own histories on decks of 16 cards with K suits. The feedback is the
right action at each step (R2); whether its own action was right, either weighted so that the
expected gradient is the label's (R3a) or unweighted (R3b); or, at the end of the episode, how often
it was right (R5). Two batch sizes: a small one, where noise may dominate, and a large one.

The GPU presets and the preset of sums add other games, sums with a critic or with a group baseline
on the same deck, PPO, and longer episodes; the GPU presets also the six cells of two targets by
three kinds of feedback.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from agents.networks import Backbone, LanguageModel
from agents.objectives import OBJECTIVES, Objective
from agents.own_memory import memory_class
from experiments.bridge.rates import FEW, MANY
from popjax import Deck, make
from popjax.core import Environment
from popjax.envs.repeat_previous import RepeatPrevious
from popjax.players import Player, make_player
from popjax.tokens import target_of

RUNGS = {
    "label": "dagger",
    "unbiased verdict": "bandit_ce",
    "verdict": "bandit",
    "sum": "sum_to_end",
}
BESIDE = {"sum, critic": "sum_to_end", "sum, group": "grpo", "PPO": "ppo"}
"""More kinds of feedback: the sum with a critic's value or the mean of others on the same deck as
baseline; and PPO on the rewards, several epochs per batch. Not part of the first studies."""
ENOUGH = 0.97  # probability of the right action: a part stops when all its seeds reach it
Curves = dict[str, np.ndarray]  # [seeds, looks] each


class Condition(NamedTuple):
    """One kind of feedback, number of suits and batch size in episodes.

    game: "" for default RepeatPrevious, "k 2" for another k, "64 cards" for another length; or
    the id of an environment, with its number of actions as `suits`.
    """

    suits: int
    feedback: str
    batch: int
    game: str = ""


@dataclass(frozen=True)
class VerdictConfig:
    """All settings that determine the result.

    batches: episodes per update. updates: the maximum for each batch size.
    suits_of_all_batches: numbers of suits for which batches below the largest are run.
    num_looks: evaluations, at equal ratios of updates, on `num_decks` held-out decks, with gradient
    statistics on `num_gradients` episodes. beside: more kinds of feedback. games, lengths: more
    games and numbers of cards, at the largest batch. factorial: a preset of
    `experiments.bridge.factorial.conditions` whose six cells are included, if any. rates: learning
    rates, each tuned with `trials` seeds, for every part; if empty, all use `learning_rate`.
    """

    memory: str = "gru"
    seeds: int = 5
    suits: tuple[int, ...] = (2, 4, 8)
    cards: int = 16
    k: int = 3
    features: int = 48
    head_features: int = 32
    batches: tuple[int, ...] = (64, 16)
    updates: tuple[int, ...] = (600, 1200)
    suits_of_all_batches: tuple[int, ...] = (4,)
    num_looks: int = 30
    num_decks: int = 256
    num_gradients: int = 32
    learning_rate: float = 1e-3
    beside: tuple[str, ...] = ()
    games: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    factorial: str = ""
    rates: tuple[float, ...] = ()
    trials: int = 2

    def env(self, suits: int, game: str = "") -> Environment:
        if game and not game.startswith("k ") and not game.endswith(" cards"):
            return make(game)
        k = int(game.removeprefix("k ")) if game.startswith("k ") else self.k
        cards = int(game.split()[0]) if game.endswith(" cards") else self.cards
        return RepeatPrevious(deck=Deck(suits, cards // suits), k=k)

    def oracle(self, suits: int, game: str = "") -> Player:
        return make_player(self.env(suits, game))

    def network(self, suits: int, game: str = "") -> LanguageModel:
        backbone = Backbone((memory_class(self.memory)(features=self.features),))
        sizes = target_of(self.env(suits, game)).sizes
        return LanguageModel(backbone, sizes, suits, self.head_features)

    @property
    def longer(self) -> list[tuple[int, str]]:
        """Suits and game of each other length, at the middle number of suits."""
        suits = self.suits[len(self.suits) // 2]
        return [(suits, f"{cards} cards") for cards in self.lengths]

    @property
    def others(self) -> list[tuple[int, str]]:
        """Choices and name of each other game."""
        suits = self.suits[len(self.suits) // 2]
        return [
            (suits if game.startswith("k ") else make(game).action_space.num_values, game)
            for game in self.games
        ]

    @property
    def parts(self) -> list[Condition]:
        large = max(self.batches)
        first = [
            Condition(k, feedback, b)
            for b in self.batches
            for k in (self.suits if b == large else self.suits_of_all_batches)
            for feedback in RUNGS
        ]
        more = [Condition(k, feedback, large) for k in self.suits for feedback in self.beside]
        apart = [
            Condition(k, feedback, large, game)
            for k, game in [*self.longer, *self.others]
            for feedback in ("label", "verdict", "sum", *self.beside)
        ]
        return [*first, *more, *apart]

    def looks(self, batch: int) -> list[int]:
        """The updates after which the learner is evaluated."""
        longest = self.updates[self.batches.index(batch)]
        later = np.geomspace(1, longest, self.num_looks).round().astype(int)
        return [0, *np.unique(later).tolist()]


MEMORIES_OF = {"gpu": ("gru", "s5")}
"""The default memories of a preset, each a separate study."""
PRESETS = {
    "mini": VerdictConfig(rates=FEW),
    "gpu": VerdictConfig(
        seeds=10,
        suits=(2, 4, 8, 16),
        cards=32,
        k=4,
        features=128,
        head_features=128,
        batches=(4096, 256, 16),
        updates=(2000, 6000, 20000),
        suits_of_all_batches=(2, 4, 8, 16),
        beside=tuple(BESIDE),
        games=(
            "k 2",
            "k 8",
            "RepeatFirstEasy",
            "CountRecallEasy",
            "CountRecallMedium",
            "CountRecallHard",
        ),
        lengths=(16, 64, 128, 256),
        factorial="gpu",
        rates=MANY,
    ),
    "sums": VerdictConfig(
        suits=(4,),
        batches=(64,),
        updates=(1200,),
        num_looks=25,
        beside=tuple(BESIDE),
        lengths=(8, 32),
    ),
    "smoke": VerdictConfig(
        suits=(2, 4),
        features=8,
        head_features=8,
        batches=(8, 4),
        updates=(4, 8),
        suits_of_all_batches=(2,),
        num_looks=3,
        num_decks=16,
        num_gradients=8,
        rates=FEW[1:3],
        trials=1,
    ),
}


def rung(feedback: str) -> Objective:
    """The objective, without a critic, which would redistribute part of a sum over the steps."""
    regime = OBJECTIVES[RUNGS[feedback]]
    return replace(regime, baseline="constant") if regime.baseline == "value" else regime


ALL = {feedback: rung(feedback) for feedback in RUNGS}
