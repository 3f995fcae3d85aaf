"""Two targets times three kinds of feedback: which edge makes a language model an agent?

    {next observation, oracle's action} x {label, verdict a step, one sum an episode}

are six objectives on a tiny deck, whose cards do not depend on actions. Network, optimiser, batch
and learning rate are the same in all six, and so is the input distribution: the oracle acts if its
action is the label, the learner if its own action is judged, yet neither changes the cards, and
the previous action is not an input. "Language model against agent" is the diagonal of the table,
the next observation by label against the oracle's action by sum; the edges give the cost of each
difference.

Labels are cross-entropy; verdicts and sums are the score function with a constant baseline, as a
critic would redistribute part of the sum over the steps. The sum for the oracle's action is the
environment's return, `(2 right - n) / n` for n judged actions, so it reveals only the number of
right actions, as the sum of right guesses does for the other target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from agents.choices import take_along_last
from agents.hyperparams import Hyperparams
from agents.lanes import lane_keys
from agents.lm import LMConfig, episode_inputs
from agents.networks import Backbone, LanguageModel
from agents.objectives import OBJECTIVES, Objective, make_train
from agents.objectives.histories import own_labels
from agents.own_memory import memory_class
from experiments.bridge.decks import SUITS, TINY, best_guess, best_without_memory
from experiments.results.files import Table, stack_tables
from popjax.envs.repeat_previous import RepeatPrevious
from popjax.floors import log_probs_along, make_law
from popjax.players import make_player, play

TARGETS = ("next observation", "oracle's action")
FEEDBACK = ("label", "verdict", "sum")
CELLS = {
    ("next observation", "label"): "next_obs",
    ("next observation", "verdict"): "guess",
    ("next observation", "sum"): "guess_sum",
    ("oracle's action", "label"): "clone",
    ("oracle's action", "verdict"): "bandit",
    ("oracle's action", "sum"): "sum_to_end",
}
SUPERVISION_METRICS = ("environment_tokens", "supervision_nats")
Curves = dict[str, Float[np.ndarray, "seeds looks"]]


@dataclass(frozen=True)
class FactorialConfig:
    """All settings that determine the result.

    num_looks: evaluations, at equal ratios of updates. num_decks: held-out decks on which
    competence is measured.
    """

    memory: str = "gru"
    seeds: int = 5
    k: int = 3
    features: int = 32
    num_episodes: int = 32
    num_updates: int = 6000
    num_looks: int = 80
    num_decks: int = 512
    learning_rate: float = 1e-3

    @property
    def env(self) -> RepeatPrevious:
        return replace(TINY["RepeatPrevious"], k=self.k)

    @property
    def network(self) -> LanguageModel:
        backbone = Backbone((memory_class(self.memory)(features=self.features),))
        return LanguageModel(backbone, (SUITS,), SUITS, self.features)

    @property
    def looks(self) -> list[int]:
        """After how many updates competence is measured."""
        later = np.geomspace(1, self.num_updates, self.num_looks).round().astype(int)
        return [0, *np.unique(later).tolist()]


PRESETS = {
    "mini": FactorialConfig(),
    "gpu": FactorialConfig(
        seeds=10,
        features=128,
        num_episodes=256,
        num_updates=20000,
        num_looks=120,
        num_decks=4096,
    ),
    "smoke": FactorialConfig(features=8, num_episodes=8, num_updates=20, num_looks=5, num_decks=32),
}


class Exam(NamedTuple):
    """Held-out decks, the same for all learners.

    x, start: the inputs. law: the probability that each answer is right, given the history.
    counts: where an answer counts. worth: accuracy of the best player with memory minus that of the
    best without.
    """

    x: Float[Array, "T N d"]
    start: Bool[Array, "T N"]
    law: Float[Array, "T N K"]
    counts: Bool[Array, "T N"]
    worth: float


def exam(setup: FactorialConfig, target: str) -> Exam:
    """For the next observation the distribution of the remaining cards, for the oracle's action
    its label."""
    env = setup.env
    decks = play(env, make_player(env), jax.random.key(2**31), setup.num_decks)
    if target == "next observation":
        law, counts = jnp.exp(log_probs_along(make_law(env), decks)[0]), decks.valid
        best = best_guess(env)
    else:
        label, counts = own_labels(env, decks)
        law, best = jax.nn.one_hot(label, SUITS), 1.0
    return Exam(*episode_inputs(env, decks, "obs"), law, counts, best - best_without_memory(env))


def competence(exam: Exam, outputs: Float[Array, "T N K"]) -> Float[Array, ""]:
    """1 for the best possible answers, 0 for the best without memory: one minus the accuracy that
    the likeliest answers lose against the best, as a share of the value of memory."""
    regret = jnp.max(exam.law, axis=-1) - take_along_last(exam.law, jnp.argmax(outputs, axis=-1))
    return 1 - jnp.mean(regret, where=exam.counts) / exam.worth


def rung(target: str, feedback: str) -> Objective:
    """The objective, without a critic."""
    regime = OBJECTIVES[CELLS[target, feedback]]
    return replace(regime, baseline="constant") if regime.scored_head else regime


def run_cell(
    setup: FactorialConfig, target: str, feedback: str, watch: Callable[..., Iterable]
) -> Table:
    """Trains all seeds of a cell in parallel. One row per evaluation and seed: tokens read and
    feedback received so far, competence, and seconds since the start."""
    clock = time.perf_counter()
    env, network, test = setup.env, setup.network, exam(setup, target)
    constant = {"lm_schedule": "constant", "lm_warmup": 0.0}
    config = LMConfig(setup.num_episodes, previous_action="off", **constant)
    init, segment = make_train(env, network, config, rung(target, feedback))
    hyperparams = Hyperparams(learning_rate=setup.learning_rate, max_grad_norm=1.0)

    def one_update(_, run):
        state, sums = run
        state, metrics = segment(state, hyperparams, 1)
        return state, {name: sums[name] + metrics[name][0] for name in SUPERVISION_METRICS}

    @partial(jax.jit, donate_argnums=0)
    @partial(jax.vmap, in_axes=(0, None))
    def advance(state: Any, num_updates: int):
        nothing = dict.fromkeys(SUPERVISION_METRICS, 0.0)
        state, sums = jax.lax.fori_loop(0, num_updates, one_update, (state, nothing))
        carry = network.initial_carry(setup.num_decks)
        _, logits, policy = network.apply(state.params, carry, test.x, test.start)
        outputs = logits if target == "next observation" else policy
        return state, sums | {"competence": competence(test, outputs)}

    seeds = np.arange(setup.seeds)
    begin = jax.jit(jax.vmap(partial(init, hyperparams=hyperparams, num_updates=setup.num_updates)))
    state = begin(lane_keys(tuple(range(setup.seeds)))[0])
    sums, rows = dict.fromkeys(SUPERVISION_METRICS, 0.0), []
    for before, update in watch(list(pairwise([0, *setup.looks]))):
        state, news = advance(state, update - before)
        sums = {name: sums[name] + np.float64(news[name]) for name in SUPERVISION_METRICS}
        seconds = np.full(setup.seeds, time.perf_counter() - clock)
        measured = {"competence": np.float64(news["competence"]), "seconds": seconds}
        rows.append({"seed": seeds, "update": np.full(setup.seeds, update), **sums, **measured})
    return stack_tables(rows)
