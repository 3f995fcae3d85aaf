"""The ladder of supervision between a language model and an agent.

Every rung trains the same `LanguageModel` (one backbone, a head for the next token, one of equal
width for the action) and changes one thing: what is aimed at, who makes the histories, whether a
label or a verdict is told, and whether step by step or once an episode. `make_train` gives two
pure functions of the same form as PPO's, which is the rung R4 (`agents.ppo`).

>>> REGIMES["dagger"].rung, REGIMES["dagger"].played_by
('R2', 'policy')
"""

from agents.regimes import signals
from agents.regimes.rungs import Regime, advantage, loss
from agents.regimes.train import make_train

CLONE = Regime(
    "R1", "cross-entropy on the oracle's action, on its own histories", "oracle", ("action",)
)
REGIMES: dict[str, Regime] = {
    "next_obs": Regime(
        "R0", "cross-entropy on the next observation", "behaviour", labels=("token",)
    ),
    "clone": CLONE,
    "clone_any": Regime(
        "R1'", "cross-entropy on the oracle's action, on any histories", "behaviour", ("action",)
    ),
    "all": Regime(
        "R-all", "cross-entropy on all of the oracle's transcript", "oracle", ("token", "action")
    ),
    "dagger": Regime(
        "R2", "cross-entropy on the oracle's action, on the learner's own histories", "policy",
        ("action",),
    ),
    "bandit_ce": Regime(
        "R3a", "a verdict on the learner's action, weighted to the gradient of cross-entropy",
        "policy", says="action", signal=signals.surprise_of_right, told="verdicts",
        needs_label=True,
    ),
    "bandit": Regime(
        "R3b", "a verdict, right or wrong, on the learner's action", "policy", says="action",
        signal=signals.verdict, baseline="value", told="verdicts", needs_label=True,
    ),
    "log_likelihood": Regime(
        "R3c", "the smoothed oracle's log-likelihood of the learner's action, as reward", "policy",
        says="action", signal=signals.log_likelihood, baseline="value", told="verdicts",
        needs_label=True, entropy=True,
    ),
    "sum_to_end": Regime(
        "R5", "the environment's rewards, summed and paid at the end", "policy", says="action",
        signal=signals.rewards_in_all, baseline="value", told="sum",
    ),
    "rlhf": Regime(
        "R6", "the environment's rewards, near a model that was pre-trained on mediocre play",
        "policy", says="action", signal=signals.rewards_near_reference, baseline="value",
        told="verdicts", pretrain=CLONE,
    ),
    "grpo": Regime(
        "R7", "the return, beside that of others on the same deck or board", "policy",
        says="action", signal=signals.of_group_returns, told="sum", group=8,
    ),
    "grpo_step": Regime(
        "R7b", "the rewards to come, beside those of others on the same deck, step by step",
        "policy", says="action", signal=signals.rewards, baseline="group", told="verdicts", group=8,
    ),
    "guess": Regime(
        "R8", "a verdict on a guess of the next observation", "behaviour", says="token",
        signal=signals.guessed, baseline="value", told="verdicts",
    ),
    "guess_sum": Regime(
        "R8-sum", "the number of right guesses of an episode, told at its end", "behaviour",
        says="token", signal=signals.guessed_in_all, baseline="value", told="sum",
    ),
}  # fmt: skip

__all__ = ["REGIMES", "Regime", "advantage", "loss", "make_train"]
