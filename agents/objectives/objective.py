"""Objectives: which histories, which feedback, and the loss that follows from both.

Two losses are all there is. Where there is a label, cross-entropy; where a choice of the
learner is judged, the score function with a weight, whose gradient is the expected signal's:

    label:    - mean_t ln p(label_t)
    verdict:  - mean_t sg(signal_t - baseline_t) ln p(sampled_t)  [- tau H(p)]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from agents import supervision
from agents.lm import outputs_along
from agents.nats import expected_nats, label_nats, token_log_probs
from agents.networks import LanguageModel
from agents.objectives.choices import log_probs, sizes_of, take_along_last
from agents.objectives.histories import Batch
from agents.objectives.signals import Terms, over_group, over_others
from popjax.core import Environment
from popjax.families import family_of
from popjax.tokens import target_of


@dataclass(frozen=True)
class Objective:
    """One rung of the ladder.

    rung, about: its name in the literature of this project, and one line.
    played_by: who makes the histories: a fixed player, the oracle, or the learner itself.
    labels: what is labelled, "token", "action", both or nothing.
    scored_head: what is judged, an "action" or a "token" that was guessed, if anything.
    signal: what saying it earns. baseline: what that is compared with: nothing, a constant (the
        mean of the other episodes), a learned value, or the group's mean at the same step.
    feedback: labels, verdicts step by step, or one sum an episode.
    needs_label: the signal is the oracle's verdict; only positions with a label count.
    entropy: adds tau H(pi), tau = `hyperparams.entropy`.
    pretrain: the rung on which a model learns first that is then the start and the reference, beta
        = `hyperparams.kl`. pretrain_updates, slips: for how long it reads a player that takes a
        random action instead of the oracle's with that chance.
    group, gamma, epsilon, divide_std, divide_length: see `Terms`. coupled: the episodes of a group
        share the chances of their steps too.
    """

    rung: str
    about: str
    played_by: Literal["behaviour", "oracle", "policy"]
    labels: tuple[str, ...] = ()
    scored_head: Literal["action", "token"] | None = None
    signal: Callable[[Batch, Terms], Array] | None = None
    baseline: Literal["none", "constant", "value", "group"] = "none"
    feedback: Literal["labels", "verdicts", "sum"] = "labels"
    needs_label: bool = False
    entropy: bool = False
    pretrain: Objective | None = None
    pretrain_updates: int = 200
    slips: float = 0.5
    group: int = 1
    gamma: float = 1.0
    epsilon: float = 0.01
    divide_std: bool = False
    divide_length: bool = False
    coupled: bool = True

    def terms(self, env: Environment, beta: Any = 0.0) -> Terms:
        return Terms(
            num_choices=num_choices(env, self),
            gamma=self.gamma,
            beta=beta,
            epsilon=self.epsilon,
            group=self.group,
            divide_std=self.divide_std,
            divide_length=self.divide_length,
        )

    @property
    def needs_oracle(self) -> bool:
        return self.needs_label or "action" in self.labels or self.played_by == "oracle"


def num_choices(env: Environment, objective: Objective) -> int:
    """How many choices the scored head has."""
    if objective.scored_head == "token":
        return target_of(env).sizes[0]
    return env.action_space.num_values


def read(
    params: Any, env: Environment, network: LanguageModel, batch: Batch
) -> tuple[Float[Array, "T B sizes"], Float[Array, "T B num_actions"]]:
    """Logits of the next token and raw outputs of the action head along whole episodes."""
    return outputs_along(params, env, network, batch.x, batch.start, batch.action, batch.token)


def choice_logits(
    env: Environment, objective: Objective, logits: Array, policy: Array
) -> Float[Array, "T B K"]:
    """Log-probabilities of all choices of the scored head."""
    if objective.scored_head == "token":
        return jax.nn.log_softmax(logits)
    return log_probs(sizes_of(env), policy)


def counts(objective: Objective, batch: Batch) -> Array:
    """`[T, B]` bool: the positions at which a choice is judged."""
    return batch.labelled if objective.needs_label else batch.valid


def advantage(
    env: Environment, objective: Objective, batch: Batch, value: Array, beta: Any = 0.0
) -> tuple[Float[Array, "T B"], Float[Array, "T B"]]:
    """The weight of each choice, and the signal that a critic learns to predict."""
    signal = objective.signal(batch, objective.terms(env, beta))
    where = counts(objective, batch)
    baseline = {
        "none": lambda: 0.0,
        "constant": lambda: over_others(signal, where),
        "value": lambda: value,
        "group": lambda: over_group(signal, where, objective.group),
    }[objective.baseline]()
    return jnp.where(where, signal - baseline, 0.0), signal


def loss(
    params: Any,
    env: Environment,
    network: LanguageModel,
    objective: Objective,
    batch: Batch,
    tau: Any = 0.0,
) -> tuple[Float[Array, ""], dict[str, Array]]:
    """The loss of any rung on whole episodes, each term a mean over its own loss tokens."""
    logits, policy = read(params, env, network, batch)
    terms, metrics = [], {}
    if "token" in objective.labels:
        log_prob, correct = token_log_probs(network.sizes, logits, batch.token)
        terms.append(-mean(log_prob, batch.valid))
        metrics |= {"nats": terms[-1], "accuracy": mean(correct, batch.valid)}
    if "action" in objective.labels:
        pi = log_probs(sizes_of(env), policy)
        terms.append(-mean(take_along_last(pi, batch.label), batch.labelled))
        right = jnp.argmax(pi, axis=-1) == batch.label
        metrics |= {"action_nats": terms[-1], "action_accuracy": mean(right, batch.labelled)}
    if objective.scored_head:
        pi, where = choice_logits(env, objective, logits, policy), counts(objective, batch)
        weight = jax.lax.stop_gradient(batch.weight)
        terms.append(-mean(weight * take_along_last(pi, batch.sampled), where))
        entropy = mean(label_nats(pi), where)
        if objective.entropy:
            terms.append(-tau * entropy)
        metrics["entropy"] = entropy
        if objective.needs_label or objective.scored_head == "token":
            metrics["accuracy"] = mean(was_right(objective, batch), where)
    total = sum(terms)
    outputs = jax.lax.stop_gradient((logits, policy))
    return total, {"loss": total, **metrics, **supervision_metrics(env, objective, batch, *outputs)}


def mean(values: Array, where: Array) -> Float[Array, ""]:
    """Over the positions that count."""
    return jnp.sum(jnp.where(where, values, 0)) / jnp.maximum(jnp.sum(where), 1)


def was_right(objective: Objective, batch: Batch) -> Array:
    """`[T, B]` bool: the choice is the next token, or the oracle's action; where there is no
    oracle, the environment paid for it, which is the same where its rewards are verdicts."""
    if objective.scored_head == "token":
        return batch.sampled == batch.token[..., 0]
    return batch.sampled == batch.label if objective.needs_label else batch.reward > 0


def supervision_metrics(
    env: Environment, objective: Objective, batch: Batch, logits: Array, policy: Array
) -> dict[str, Array]:
    """The three axes on which a learning curve can be drawn: tokens seen, tokens that made a
    gradient, and nats of supervision, expected (`supervision_nats`) and realised (`realised_nats`).

    Where the environment's rewards are no verdicts on the oracle's action, their information is
    not known, and the nats are not-a-number.
    """
    seen = jnp.sum(batch.valid)
    tokens, expected, realised = 0, 0.0, 0.0
    if "token" in objective.labels:
        tokens += seen
        sizes = target_of(env).sizes
        expected += jnp.sum(jnp.where(batch.valid, expected_nats(sizes, logits), 0.0))
        log_prob, _ = token_log_probs(sizes, logits, batch.token)
        realised -= jnp.sum(jnp.where(batch.valid, log_prob, 0.0))
    if "action" in objective.labels:
        pi = log_probs(sizes_of(env), policy)
        tokens += jnp.sum(batch.labelled)
        expected += jnp.sum(jnp.where(batch.labelled, label_nats(pi), 0.0))
        realised -= jnp.sum(jnp.where(batch.labelled, take_along_last(pi, batch.label), 0.0))
    if objective.scored_head:
        tokens += jnp.sum(counts(objective, batch))
        known = (
            objective.needs_label
            or objective.scored_head == "token"
            or family_of(env).rewards_are_verdicts
        )
        nats = judged_nats(env, objective, batch, logits, policy) if known else (jnp.nan, jnp.nan)
        expected, realised = expected + nats[0], realised + nats[1]
    return {
        "environment_tokens": seen,
        "gradient_tokens": tokens,
        "supervision_nats": expected,
        "realised_nats": realised,
    }


def judged_nats(env, objective: Objective, batch: Batch, logits, policy) -> tuple[Array, Array]:
    """Expected and realised nats of all verdicts, or of all sums, of a batch."""
    pi = choice_logits(env, objective, logits, policy)
    judged = batch.valid if objective.scored_head == "token" else batch.labelled
    right, p = was_right(objective, batch), jnp.exp(take_along_last(pi, batch.sampled))
    if objective.feedback == "sum":
        expected = supervision.sum_nats(p, judged)
        return jnp.sum(expected), jnp.sum(supervision.realised_sum_nats(p, judged, right))
    expected = jnp.where(judged, supervision.verdict_nats(pi), 0.0)
    realised = jnp.where(judged, supervision.realised_verdict_nats(p, right), 0.0)
    return jnp.sum(expected), jnp.sum(realised)
