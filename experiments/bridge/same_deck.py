"""Same deck, different memory: is what an agent remembers what a language model remembers?

Networks of one shape, from the same seeds, on the same cards, differ in what they are told alone:

    LM       R0   cross-entropy on the next card
    label    R1   cross-entropy on the right answer
    verdict  R3b  right or wrong, on the answer it gave
    untrained     nothing

Three tasks lie in two classes of overlap (`experiments.bridge.overlap`): in RepeatFirst and
RepeatPrevious acting and predicting take different things, in CountRecall predicting takes what
acting does and more. One language model serves both suits games, for their cards are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from agents import checkpoint
from agents.hyperparams import Hyperparams
from agents.lm import LMConfig, reading
from agents.memory import MEMORIES
from agents.nats import token_log_probs
from agents.networks import Backbone, LanguageModel
from agents.regimes import REGIMES, make_train
from agents.regimes.choices import of
from agents.regimes.data import own_labels
from experiments.bridge.decks import TinyRepeatFirst
from experiments.bridge.overlap import deck_of
from experiments.bridge.tiny import TinyCountRecall, TinyRepeatPrevious
from experiments.results import Table
from experiments.train import lane_keys
from popjax import make
from popjax.core import Environment
from popjax.floors import decks as floors
from popjax.players import make_player, play
from popjax.tokens import target_of

KINDS = {"LM": "next_obs", "label": "clone", "verdict": "bandit"}
UNTRAINED = "untrained"
AGENTS = ("label", "verdict")
TASKS = ("RepeatFirst", "RepeatPrevious", "CountRecall")
DECKS: dict[str, dict[str, Environment]] = {
    "tiny": {env.name: env for env in (TinyRepeatFirst(), TinyRepeatPrevious(), TinyCountRecall())},
    "easy": {name: make(f"{name}Easy") for name in TASKS},
}
LEAST_COMPETENCE, MOST_EXCESS = 0.95, 0.02
"""Networks are compared if the agent has so much of what memory is worth, and the language model
pays at most so many nats a token above the floor."""


@dataclass(frozen=True)
class Setup:
    """All that decides the result.

    decks: the tasks are played with. num_tokens: that each seed reads. num_looks: how often
    competence is measured, at equal ratios of updates. num_decks: that no network learns from, for
    every measurement. num_steps: of the episode at which states are probed. rows: of states
    compared. edits: histories that are changed.
    """

    memory: str = "gru"
    seeds: int = 5
    tasks: tuple[str, ...] = TASKS
    decks: str = "tiny"
    features: int = 48
    num_episodes: int = 64
    num_tokens: int = 400_000
    num_looks: int = 30
    num_decks: int = 2000
    num_steps: int = 4
    rows: int = 2048
    edits: int = 1024
    learning_rate: float = 3e-3

    def env(self, task: str) -> Environment:
        return DECKS[self.decks][task]

    def network(self, task: str) -> LanguageModel:
        env = self.env(task)
        backbone = Backbone((MEMORIES[self.memory](features=self.features),))
        actions = env.action_space.num_values
        return LanguageModel(backbone, target_of(env).sizes, actions, self.features)

    def cell(self, task: str, kind: str) -> tuple[str, str]:
        """The task and kind of the networks that stand for these: the cards of both suits games are
        one deck, and so is their language model."""
        shared = kind == "LM" and task == "RepeatPrevious" and "RepeatFirst" in self.tasks
        return ("RepeatFirst" if shared else task), kind

    @property
    def cells(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys(self.cell(t, k) for t in self.tasks for k in KINDS))

    def num_updates(self, task: str) -> int:
        return max(1, self.num_tokens // (self.num_episodes * self.env(task).max_steps))

    def looks(self, task: str) -> list[int]:
        """After how many updates competence is measured."""
        later = np.geomspace(1, self.num_updates(task), self.num_looks).round().astype(int)
        return [0, *np.unique(later).tolist()]

    def times(self, task: str) -> tuple[int, ...]:
        """The steps, counted from 0, after whose card states are probed."""
        first, last = deck_of(self.env(task)).steps
        spread = np.linspace(max(1, first - 1), last - 1, self.num_steps).round().astype(int)
        return tuple(np.unique(spread).tolist())


PRESETS = {
    "mini": Setup(),
    "gpu": Setup(
        seeds=10,
        decks="easy",
        features=128,
        num_episodes=256,
        num_tokens=10_000_000,
        num_decks=9000,
        rows=4096,
        edits=4096,
        learning_rate=1e-3,
    ),
    "smoke": Setup(
        tasks=("RepeatFirst", "RepeatPrevious"),
        features=8,
        num_episodes=8,
        num_tokens=1200,
        num_looks=3,
        num_decks=240,
        num_steps=2,
        rows=64,
        edits=32,
    ),
}


class Exam(NamedTuple):
    """Decks that no network learns from: what is read of them, the tokens and labels that are
    right, the share of right answers without memory, the floor in nats a token, and what memory is
    worth above it."""

    x: Float[Array, "T N d"]
    start: Bool[Array, "T N"]
    token: Int[Array, "T N m"]
    label: Int[Array, "T N"]
    labelled: Bool[Array, "T N"]
    without: float
    floor: float
    worth: float


def exam(env: Environment, num_decks: int) -> Exam:
    decks = play(env, make_player(env), jax.random.key(2**31), num_decks)
    reactive = play(env, make_player(env, "memoryless"), jax.random.key(2**31 + 1), 8192)
    floor = floors.nats_per_episode(env) / env.max_steps
    return Exam(
        *reading(env, decks, "obs"),
        target_of(env).tokens(decks),
        *own_labels(env, decks),
        without=float(1 + reactive.returns.mean()) / 2,
        floor=floor,
        worth=floors.without_memory(env) / env.max_steps - floor,
    )


def judged(network: LanguageModel, kind: str, exam: Exam, params: Any) -> dict[str, Array]:
    """Of one network: its `competence`, 0 for the best without memory and 1 for the best there is,
    and the number that it is made of, `raw`: nats a token above the floor, or the share of right
    answers."""
    carry = network.initial_carry(exam.x.shape[1])
    _, logits, policy = network.apply(params, carry, exam.x, exam.start)
    if kind == "LM":
        told = -jnp.mean(token_log_probs(network.sizes, logits, exam.token)[0])
        return {"competence": 1 - (told - exam.floor) / exam.worth, "raw": told - exam.floor}
    guess = jax.nn.one_hot(jnp.argmax(policy, axis=-1), policy.shape[-1])
    right = jnp.mean(of(guess, exam.label), where=exam.labelled)
    return {"competence": (right - exam.without) / (1 - exam.without), "raw": right}


@dataclass(frozen=True)
class Cell:
    """The networks of one kind on one task, all seeds at once, in a folder."""

    setup: Setup
    task: str
    kind: str
    folder: Path

    @cached_property
    def rung(self):
        """`init` and `segment` of the kind's rung of the ladder."""
        config = LMConfig(self.setup.num_episodes, previous_action="off")
        env, network = self.setup.env(self.task), self.setup.network(self.task)
        return make_train(env, network, config, REGIMES[KINDS.get(self.kind, "next_obs")])

    @cached_property
    def hyperparams(self) -> Hyperparams:
        return Hyperparams(learning_rate=self.setup.learning_rate, max_grad_norm=1.0)

    def begin(self) -> Any:
        """Every seed's state before the first update; equal seeds begin alike in all kinds."""
        num_updates = self.setup.num_updates(self.task)
        init = partial(self.rung[0], hyperparams=self.hyperparams, num_updates=num_updates)
        return jax.jit(jax.vmap(init))(lane_keys(tuple(range(self.setup.seeds)))[0])

    @property
    def checkpoints(self) -> Path:
        return self.folder / f"{self.task}-{self.kind}"

    def params(self) -> Any:
        """Of the finished networks, `[seeds, ...]`."""
        state = self.begin()
        if self.kind == UNTRAINED:
            return state.params
        like = {"state": state, "curves": self.curves()}
        return checkpoint.restore(self.checkpoints, self.looks[-1], like)["state"].params

    @property
    def looks(self) -> list[int]:
        return self.setup.looks(self.task)

    def curves(self) -> Float[Array, "looks seeds two"]:
        """Not measured yet."""
        return jnp.full((len(self.looks), self.setup.seeds, 2), jnp.nan)

    def train(self, watch: Callable[..., Iterable]) -> Table:
        """Trains from where it was left, and writes its state a few times. One line a look and
        seed: updates and tokens until then, competence, and what that is made of."""
        setup, network = self.setup, self.setup.network(self.task)
        test = exam(setup.env(self.task), 512)

        @partial(jax.jit, donate_argnums=0)
        @partial(jax.vmap, in_axes=(0, None))
        def advance(state: Any, num_updates: int):
            def one(_, state):
                return self.rung[1](state, self.hyperparams, 1)[0]

            state = jax.lax.fori_loop(0, num_updates, one, state)
            seen = judged(network, self.kind, test, state.params)
            return state, jnp.stack([seen["competence"], seen["raw"]])

        kept = {"state": self.begin(), "curves": self.curves()}
        done = checkpoint.latest(self.checkpoints)
        if done is not None:
            kept = checkpoint.restore(self.checkpoints, done, kept)
        state, curves = kept["state"], np.array(kept["curves"])
        spans = [(0, 0), *pairwise(self.looks)]
        left = [i for i, (_, update) in enumerate(spans) if done is None or update > done]
        for i in watch(left):
            before, update = spans[i]
            state, curves[i] = advance(state, update - before)
            if i % 8 == 7 or i == len(spans) - 1:
                kept = {"state": state, "curves": jnp.asarray(curves)}
                checkpoint.save(self.checkpoints, update, jax.block_until_ready(kept))
        update, seed = (
            a.reshape(-1) for a in np.meshgrid(self.looks, range(setup.seeds), indexing="ij")
        )
        tokens = update * setup.num_episodes * setup.env(self.task).max_steps
        competence, raw = curves.reshape(-1, 2).T.astype(np.float64)
        return {
            "update": update,
            "seed": seed,
            "tokens": tokens,
            "competence": competence,
            "raw": raw,
        }
