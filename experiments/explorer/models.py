"""The pairs of small networks that the page shows: an agent and a language model on one backbone.

`study_cells()` are the cells of the study `explorer`; `popjax explore --record` trains them, and
what it records of them is shipped with the package.
"""

from __future__ import annotations

from dataclasses import dataclass

from agents.lm import LMConfig
from agents.ppo import PPOConfig
from experiments.results.spec import CellSpec, NetworkConfig, Settings
from experiments.train.cell import cell
from popjax import FAMILIES
from popjax.tokens import target_of

STUDY = "explorer"
FEATURES = 48
LM_RATE = 3e-3
NETWORK = NetworkConfig(features=FEATURES, head_features=FEATURES)


@dataclass(frozen=True)
class Budget:
    """Steps of each costume, in thousands; and what each needs to learn within them."""

    agent: int
    language_model: int
    learning_rate: float = 2.5e-3
    gamma: float = 0.99
    gae_lambda: float = 0.95
    envs: int = 16
    """Environments of the agent side by side: few, so that there are many updates."""
    episodes: int = 32
    """Whole episodes between two steps of the language model."""


CARDS = {"gamma": 0.1, "gae_lambda": 0.5}
"""Where cards come whatever is done, later rewards are noise."""

BUDGETS: dict[str, Budget] = {
    "Autoencode": Budget(600, 1500, **CARDS, episodes=16),
    "Battleship": Budget(500, 1000, gamma=0.5),
    "Concentration": Budget(500, 1200, gamma=0.5, episodes=16),
    "CountRecall": Budget(800, 1500, **CARDS),
    "HigherLower": Budget(400, 1500, **CARDS),
    "LabyrinthEscape": Budget(500, 800, episodes=4),
    "LabyrinthExplore": Budget(500, 800, gamma=0.9, episodes=4),
    "MineSweeper": Budget(600, 800, gamma=0.5, episodes=64),
    "MultiarmedBandit": Budget(500, 1000, gamma=0.9, episodes=8),
    "NoisyPositionOnlyCartPole": Budget(500, 1200, episodes=8),
    "NoisyPositionOnlyPendulum": Budget(600, 1200, gamma=0.95, episodes=8),
    "PositionOnlyCartPole": Budget(400, 1200, episodes=8),
    "PositionOnlyPendulum": Budget(600, 1200, gamma=0.95, episodes=8),
    "RepeatFirst": Budget(400, 1500, 4e-3, **CARDS),
    "RepeatPrevious": Budget(300, 1500, 8e-3, envs=8, **CARDS),
    "VelocityOnlyCartPole": Budget(400, 1200, episodes=8),
}


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
        ppo=PPOConfig(
            num_envs=budget.envs,
            num_steps=64,
            num_minibatches=4,
            inputs="obs+action" if acts_matter else "obs",
        ),
        hyperparams={
            "learning_rate": budget.learning_rate,
            "gamma": budget.gamma,
            "gae_lambda": budget.gae_lambda,
        },
        **common,
    )
    language_model = Settings(
        total_steps=1000 * budget.language_model,
        lm=LMConfig(num_episodes=budget.episodes, player="mixture" if acts_matter else "reference"),
        hyperparams={"learning_rate": LM_RATE},
        **common,
    )
    name = f"{family}Easy"
    return cell(name, "gru", agent, "ppo"), cell(name, "gru", language_model, "lm")


def study_cells() -> list[CellSpec]:
    """All of them, those of the card games that actions do not change first."""
    families = sorted(FAMILIES, key=lambda family: target_of(FAMILIES[family]["Easy"]).needs_action)
    return [spec for family in families for spec in pair(family)]
