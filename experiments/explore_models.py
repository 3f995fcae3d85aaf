"""The pairs of small networks that the page shows: an agent and a language model on one backbone.

`study_cells()` are the cells of the study `explorer`; `popjax explore --record` trains them, and
what it records of them is shipped with the package.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.lm import LMConfig
from agents.ppo import PPOConfig
from experiments.specs import CellSpec, NetworkConfig, Settings, cell
from popjax import FAMILIES
from popjax.tokens import target_of

STUDY = "explorer"
FEATURES = 48
NETWORK = NetworkConfig(features=FEATURES, head_features=FEATURES)


@dataclass(frozen=True)
class Budget:
    """Steps of each costume, in thousands; and what the agent needs to learn within them."""

    agent: int
    language_model: int
    learning_rate: float = 1e-3
    gamma: float = 0.99
    episodes: int = 64


BUDGETS: dict[str, Budget] = {
    "Autoencode": Budget(2000, 1500, gamma=0.0),
    "Battleship": Budget(800, 600),
    "Concentration": Budget(800, 800),
    "CountRecall": Budget(400, 1000, gamma=0.0),
    "HigherLower": Budget(500, 1500, gamma=0.0),
    "LabyrinthEscape": Budget(400, 800, episodes=8),
    "LabyrinthExplore": Budget(400, 800, episodes=8),
    "MineSweeper": Budget(800, 600),
    "MultiarmedBandit": Budget(1000, 800),
    "NoisyPositionOnlyCartPole": Budget(400, 800),
    "NoisyPositionOnlyPendulum": Budget(600, 800),
    "PositionOnlyCartPole": Budget(400, 800),
    "PositionOnlyPendulum": Budget(600, 800),
    "RepeatFirst": Budget(400, 1500, gamma=0.0),
    "RepeatPrevious": Budget(1200, 1500, gamma=0.0),
    "VelocityOnlyCartPole": Budget(400, 800),
}
"""Where cards come whatever is done, gamma = 0 has the same best policy and less noise."""


def pair(family: str) -> tuple[CellSpec, CellSpec]:
    """The agent's cell and the language model's, for the Easy level of a family.

    Both read the same: their own previous action where it changes what is seen, else not. The
    language model learns from histories of random, good and slipping players, or, where actions
    change nothing, of the reference player.

    >>> [spec.regime for spec in pair("RepeatFirst")]
    ['ppo', 'lm']
    """
    budget, env = BUDGETS[family], FAMILIES[family]["Easy"]
    acts_matter = target_of(env).needs_action
    common = {"seeds": 1, "num_segments": 4, "eval_episodes": 128, "network": NETWORK}
    agent = Settings(
        total_steps=1000 * budget.agent,
        ppo=PPOConfig(inputs="obs+action" if acts_matter else "obs"),
        hyperparams={"learning_rate": budget.learning_rate, "gamma": budget.gamma},
        **common,
    )
    language_model = Settings(
        total_steps=1000 * budget.language_model,
        lm=LMConfig(num_episodes=budget.episodes, player="mixture" if acts_matter else "reference"),
        **common,
    )
    name = f"{family}Easy"
    return cell(name, "gru", agent, "ppo"), cell(name, "gru", language_model, "lm")


def study_cells() -> list[CellSpec]:
    """All of them, those of the card games that actions do not change first."""
    families = sorted(FAMILIES, key=lambda family: target_of(FAMILIES[family]["Easy"]).needs_action)
    return [spec for family in families for spec in pair(family)]
