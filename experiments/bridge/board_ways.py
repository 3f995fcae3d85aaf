"""Ways to train on boards, where what is seen next depends on what was done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import gcd

from agents.regimes import REGIMES, Regime, signals

REWARDS = replace(
    REGIMES["sum_to_end"],
    rung="R4",
    about="the environment's rewards to come, step by step",
    signal=signals.rewards,
    told="verdicts",
)
"""PPO with one pass over each batch, which never leaves its own gradient; with a critic."""


@dataclass(frozen=True)
class BoardWay:
    """One rung of the ladder. player: who makes the histories that a fixed player makes."""

    title: str
    regime: Regime
    player: str = "reference"

    def sized(self, num_episodes: int) -> Regime:
        """The rung with groups that fill a batch of so many episodes."""
        return replace(self.regime, group=gcd(self.regime.group, num_episodes))


BOARD_WAYS = {
    "clone": BoardWay("clone (R1)", REGIMES["clone"]),
    "any": BoardWay("labels on any history (R1')", REGIMES["clone_any"], "mixture"),
    "dagger": BoardWay("DAgger (R2)", REGIMES["dagger"]),
    "rewards": BoardWay("rewards (R4)", REWARDS),
    "group": BoardWay("returns beside a group's (R7)", REGIMES["grpo"]),
}
TUNED = "tuned"
"""The part in which a model of mediocre play is tuned for reward near itself (R6)."""
BOARD_PARTS = ("players", *BOARD_WAYS, TUNED)
