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
from jaxtyping import Array, Bool, Float

from agents import supervision
from agents.choices import log_probs, sizes_of, take_along_last
from agents.hyperparams import Hyperparams
from agents.language_agent import LanguageAgent, Outputs
from agents.nats import expected_nats, label_nats, token_log_probs
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

    @property
    def needs_oracle(self) -> bool:
        return self.needs_label or "action" in self.labels or self.played_by == "oracle"

    def num_choices(self, env: Environment) -> int:
        """How many choices the scored head has."""
        if self.scored_head == "token":
            return target_of(env).sizes[0]
        return env.action_space.num_values

    def choices(self, env: Environment, outputs: Outputs) -> Float[Array, "T B K"]:
        """Log-probabilities of all choices of the scored head."""
        if self.scored_head == "token":
            return jax.nn.log_softmax(outputs.token)
        return log_probs(sizes_of(env), outputs.action)

    def counts(self, batch: Batch) -> Bool[Array, "T B"]:
        """The positions at which a choice is judged."""
        return batch.labelled if self.needs_label else batch.valid

    def was_right(self, batch: Batch) -> Bool[Array, "T B"]:
        """The choice is the next token, or the oracle's action; where there is no oracle, the
        environment paid for it, which is the same where its rewards are verdicts."""
        if self.scored_head == "token":
            return batch.sampled == batch.token[..., 0]
        return batch.sampled == batch.label if self.needs_label else batch.reward > 0

    def advantage(
        self,
        agent: LanguageAgent,
        hyperparams: Hyperparams,
        batch: Batch,
        value: Float[Array, "T B"] | float = 0.0,
    ) -> tuple[Float[Array, "T B"], Float[Array, "T B"]]:
        """The weight of each choice, and the signal that a critic learns to predict.

        value: what the critic predicts, where the baseline is that.
        """
        terms = Terms(
            num_choices=self.num_choices(agent.env),
            gamma=self.gamma,
            beta=hyperparams.kl,
            epsilon=self.epsilon,
            group=self.group,
            divide_std=self.divide_std,
            divide_length=self.divide_length,
        )
        signal, where = self.signal(batch, terms), self.counts(batch)
        baseline = {
            "none": lambda: 0.0,
            "constant": lambda: over_others(signal, where),
            "value": lambda: value,
            "group": lambda: over_group(signal, where, self.group),
        }[self.baseline]()
        return jnp.where(where, signal - baseline, 0.0), signal

    def loss(
        self, params: Any, agent: LanguageAgent, hyperparams: Hyperparams, batch: Batch
    ) -> tuple[Float[Array, ""], dict[str, Array]]:
        """The loss on whole episodes, a mean over the loss tokens of each term, and what to log."""
        outputs = agent.outputs(params, batch)
        terms, metrics = [], {}
        if "token" in self.labels:
            log_prob, correct = token_log_probs(agent.network.sizes, outputs.token, batch.token)
            terms.append(-mean(log_prob, batch.valid))
            metrics |= {"nats": terms[-1], "accuracy": mean(correct, batch.valid)}
        if "action" in self.labels:
            pi = log_probs(sizes_of(agent.env), outputs.action)
            terms.append(-mean(take_along_last(pi, batch.label), batch.labelled))
            right = jnp.argmax(pi, axis=-1) == batch.label
            metrics |= {"action_nats": terms[-1], "action_accuracy": mean(right, batch.labelled)}
        if self.scored_head:
            pi, where = self.choices(agent.env, outputs), self.counts(batch)
            weight = jax.lax.stop_gradient(batch.weight)
            terms.append(-mean(weight * take_along_last(pi, batch.sampled), where))
            entropy = mean(label_nats(pi), where)
            if self.entropy:
                terms.append(-hyperparams.entropy * entropy)
            metrics["entropy"] = entropy
            if self.needs_label or self.scored_head == "token":
                metrics["accuracy"] = mean(self.was_right(batch), where)
        total, outputs = sum(terms), jax.lax.stop_gradient(outputs)
        return total, {
            "loss": total,
            **metrics,
            **self.supervision_metrics(agent, batch, outputs),
        }

    def supervision_metrics(
        self, agent: LanguageAgent, batch: Batch, outputs: Outputs
    ) -> dict[str, Array]:
        """The three axes on which a learning curve can be drawn: tokens seen, tokens that made a
        gradient, and nats of supervision, expected (`supervision_nats`) and realised
        (`realised_nats`).

        Where the environment's rewards are no verdicts on the oracle's action, their information is
        not known, and the nats are not-a-number.
        """
        seen = jnp.sum(batch.valid)
        tokens, expected, realised = 0, 0.0, 0.0
        if "token" in self.labels:
            tokens += seen
            sizes = agent.network.sizes
            nats = expected_nats(sizes, outputs.token)
            expected += jnp.sum(jnp.where(batch.valid, nats, 0.0))
            log_prob, _ = token_log_probs(sizes, outputs.token, batch.token)
            realised -= jnp.sum(jnp.where(batch.valid, log_prob, 0.0))
        if "action" in self.labels:
            pi = log_probs(sizes_of(agent.env), outputs.action)
            tokens += jnp.sum(batch.labelled)
            expected += jnp.sum(jnp.where(batch.labelled, label_nats(pi), 0.0))
            realised -= jnp.sum(jnp.where(batch.labelled, take_along_last(pi, batch.label), 0.0))
        if self.scored_head:
            tokens += jnp.sum(self.counts(batch))
            known = (
                self.needs_label
                or self.scored_head == "token"
                or family_of(agent.env).rewards_are_verdicts
            )
            pi = self.choices(agent.env, outputs)
            nats = self.judged_nats(batch, pi) if known else (jnp.nan, jnp.nan)
            expected, realised = expected + nats[0], realised + nats[1]
        return {
            "environment_tokens": seen,
            "gradient_tokens": tokens,
            "supervision_nats": expected,
            "realised_nats": realised,
        }

    def judged_nats(
        self, batch: Batch, log_pi: Float[Array, "T B K"]
    ) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Expected and realised nats of all verdicts, or of all sums, of a batch, from the
        log-probabilities of all choices."""
        judged = batch.valid if self.scored_head == "token" else batch.labelled
        right, p = self.was_right(batch), jnp.exp(take_along_last(log_pi, batch.sampled))
        if self.feedback == "sum":
            expected = supervision.sum_nats(p, judged)
            return jnp.sum(expected), jnp.sum(supervision.realised_sum_nats(p, judged, right))
        expected = jnp.where(judged, supervision.verdict_nats(log_pi), 0.0)
        realised = jnp.where(judged, supervision.realised_verdict_nats(p, right), 0.0)
        return jnp.sum(expected), jnp.sum(realised)


def mean(values: Array, where: Array) -> Float[Array, ""]:
    """Over the positions that count."""
    return jnp.sum(jnp.where(where, values, 0)) / jnp.maximum(jnp.sum(where), 1)
