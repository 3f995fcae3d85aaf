"""The ladder of supervision between a language model and an agent.

Every rung trains the same `LanguageModel` (one backbone, a head for the next token, one of equal
width for the action) and changes one thing: what is aimed at, who makes the histories, whether a
label or a verdict is given, and whether step by step or once an episode. `make_train` gives two
pure functions of the same form as PPO's, which is the rung R4 (`agents.ppo`).

>>> OBJECTIVES["dagger"].rung, OBJECTIVES["dagger"].played_by
('R2', 'policy')
"""

from agents.objectives import signals
from agents.objectives.objective import Objective
from agents.objectives.train import make_train

CLONE = Objective(
    "R1", "cross-entropy on the oracle's action, on its own histories", "oracle", ("action",)
)
OBJECTIVES: dict[str, Objective] = {
    "next_obs": Objective(
        "R0", "cross-entropy on the next observation", "behaviour", labels=("token",)
    ),
    "clone": CLONE,
    "clone_any": Objective(
        "R1'", "cross-entropy on the oracle's action, on any histories", "behaviour", ("action",)
    ),
    "all": Objective(
        "R-all", "cross-entropy on all of the oracle's transcript", "oracle", ("token", "action")
    ),
    "dagger": Objective(
        "R2", "cross-entropy on the oracle's action, on the learner's own histories", "policy",
        ("action",),
    ),
    "bandit_ce": Objective(
        "R3a", "a verdict on the learner's action, weighted to the gradient of cross-entropy",
        "policy", scored_head="action", signal=signals.surprise_of_right, feedback="verdicts",
        needs_label=True,
    ),
    "bandit": Objective(
        "R3b", "a verdict, right or wrong, on the learner's action", "policy", scored_head="action",
        signal=signals.verdict, baseline="value", feedback="verdicts", needs_label=True,
    ),
    "log_likelihood": Objective(
        "R3c", "the smoothed oracle's log-likelihood of the learner's action, as reward", "policy",
        scored_head="action", signal=signals.log_likelihood, baseline="value", feedback="verdicts",
        needs_label=True, entropy=True,
    ),
    "sum_to_end": Objective(
        "R5", "the environment's rewards, summed and paid at the end", "policy",
        scored_head="action", signal=signals.rewards_in_all, baseline="value", feedback="sum",
    ),
    "rlhf": Objective(
        "R6", "the environment's rewards, near a model that was pre-trained on mediocre play",
        "policy", scored_head="action", signal=signals.rewards_near_reference, baseline="value",
        feedback="verdicts", pretrain=CLONE,
    ),
    "grpo": Objective(
        "R7", "the return, beside that of others on the same deck or board", "policy",
        scored_head="action", signal=signals.of_group_returns, feedback="sum", group=8,
    ),
    "grpo_step": Objective(
        "R7b", "the rewards to come, beside those of others on the same deck, step by step",
        "policy", scored_head="action", signal=signals.rewards, baseline="group",
        feedback="verdicts", group=8,
    ),
    "guess": Objective(
        "R8", "a verdict on a guess of the next observation", "behaviour", scored_head="token",
        signal=signals.guessed, baseline="value", feedback="verdicts",
    ),
    "guess_sum": Objective(
        "R8-sum", "the number of right guesses of an episode, given at its end", "behaviour",
        scored_head="token", signal=signals.guessed_in_all, baseline="value", feedback="sum",
    ),
}  # fmt: skip

__all__ = ["OBJECTIVES", "Objective", "make_train"]
