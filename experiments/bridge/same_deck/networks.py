"""The networks of one task of `experiments.bridge.same_deck.config`, and their histories."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np

from agents.lm import episode_inputs, inputs_of
from experiments.bridge.measures.overlap import CAUSAL, Deck, deck_of
from experiments.bridge.measures.probes import Question
from experiments.bridge.measures.questions import questions
from experiments.bridge.measures.retention import features_along
from experiments.bridge.same_deck.config import KINDS, SameDeckConfig
from experiments.bridge.same_deck.exam import number, shared_histories
from experiments.bridge.same_deck.train import Cell
from popjax.core import Environment
from popjax.floors import log_probs_along, make_law
from popjax.players import Episodes
from popjax.tokens import target_of

HEAD = {kind: one.says[-1] for kind, one in KINDS.items()}
"""The head that scores a kind continuing from another's state; kind "both" is scored by action."""


class Networks:
    """The networks of one task, the histories they are probed on, and their states.

    cards: `[T, N, decks]`, of a game of cards. params: of each kind, `[seeds, ...]`. states: of
    each kind `[seeds, steps, N, d]`, what the heads read after each of `steps`.
    """

    def __init__(self, setup: SameDeckConfig, task: str, folder: Path):
        self.setup, self.task, self.folder = setup, task, folder
        self.env, self.network = setup.env(task), setup.network(task)
        self.times = setup.times(task)
        self.middle = self.times[(len(self.times) - 1) // 2]
        self.inputs = inputs_of(self.env, setup.config(task))
        every = shared_histories(self.env, jax.random.key(2**31 + 7), setup.num_decks)
        self.episodes = self.lasting(every)
        self.x, self.start = episode_inputs(self.env, self.episodes, self.inputs)
        self.action = self.env.action_space.flatten(self.episodes.action)
        self.token = target_of(self.env).tokens(self.episodes)

    @property
    def dealt(self) -> bool:
        """Whether cards do not depend on actions."""
        return self.task not in CAUSAL

    @property
    def deck(self) -> Deck:
        return deck_of(self.env)

    def lasting(self, episodes: Episodes) -> Episodes:
        """The histories that last until the last probed step."""
        if self.dealt:
            return episodes
        alive = np.asarray(episodes.valid[self.times[-1]])
        return jax.tree.map(lambda leaf: leaf[: self.times[-1] + 1, alive], episodes)

    @property
    def number(self) -> int:
        """Of histories."""
        return self.x.shape[1]

    @property
    def steps(self) -> tuple[int, ...]:
        """The steps whose states are kept: all, or only probed ones where histories are long."""
        return tuple(range(len(self.x))) if self.dealt else self.times

    @cached_property
    def cards(self) -> np.ndarray:
        obs = np.asarray(self.episodes.obs)
        if self.task == "Autoencode":
            obs = obs[: self.env.num_cards, :, 1]
        return obs.reshape(*obs.shape[:2], -1)

    @cached_property
    def params(self) -> dict[str, Any]:
        return {
            kind: Cell(self.setup, *self.setup.cell(self.task, kind), self.folder).params()
            for kind in self.setup.all
        }

    @cached_property
    def states(self) -> dict[str, np.ndarray]:
        return self.reads(self.x, self.start, self.steps)

    def reads(self, x: Any, start: Any, steps: tuple[int, ...]) -> dict[str, np.ndarray]:
        """The states of all networks after these steps of a history, seed by seed."""
        at = np.array(steps)

        @jax.jit
        def along(params):
            return features_along(self.network, params, x, start)[at]

        seeds = range(self.setup.seeds)
        return {
            kind: np.stack([np.asarray(along(self.one(kind, seed))) for seed in seeds])
            for kind in self.setup.all
        }

    @cached_property
    def tokens(self) -> np.ndarray:
        """`[T, N]` the current observation as one integer; where obs depend on actions, the last
        token and, with few actions, the action before it."""
        if self.dealt:
            sizes = (self.deck.num_kinds,) * self.deck.num_decks
            return np.ravel_multi_index(np.moveaxis(self.cards, -1, 0), sizes)
        return tokens_of(self.env, self.episodes)

    @cached_property
    def answer(self) -> np.ndarray:
        """`[T, N]` the player's actions: the right ones where cards do not depend on actions."""
        return np.asarray(self.env.action_space.to_number(self.episodes.action))

    @cached_property
    def law(self) -> np.ndarray:
        """`[T, N, K]` the exact distribution of the next token."""
        return np.exp(np.asarray(log_probs_along(make_law(self.env), self.episodes)[0]))

    def ask(self, who: str, t: int, size: int = 0) -> list[Question]:
        """The questions about a statistic after step t."""
        cards = self.cards if self.dealt else np.zeros((0, 0, 1), int)
        return questions(self.env, who, self.episodes, cards, self.tokens, t, size)

    def one(self, kind: str, seed: int) -> Any:
        """The parameters of one network."""
        return jax.tree.map(lambda leaf: leaf[seed], self.params[kind])

    def at(self, kind: str, t: int) -> np.ndarray:
        """`[seeds, N, d]` the states of a kind after step t."""
        return self.states[kind][:, self.steps.index(t)]

    def every(self, t: int) -> np.ndarray:
        """`[networks, N, d]` the states of all networks after step t."""
        return np.concatenate([self.at(kind, t) for kind in self.setup.all])

    def outputs(self, params: Any, carry: Any, cut: int) -> tuple[Any, Any]:
        """Logits of both heads from step `cut` on, continuing from a state."""
        later = (self.x, self.start, self.action, self.token)
        x, start, action, token = (part[cut:] for part in later)
        target = target_of(self.env)
        action = action if target.needs_action else None
        token = target.flatten(token) if len(target.sizes) > 1 else None
        return self.network.apply(params, carry, x, start, action, token)[1:]

    @property
    def names(self) -> dict[str, np.ndarray]:
        """The kind and seed of each network, in the order of `every`."""
        seeds, kinds = range(self.setup.seeds), self.setup.all
        return {
            "kind": np.repeat(kinds, self.setup.seeds),
            "seed": np.tile(np.array(seeds), len(kinds)),
        }


def tokens_of(env: Environment, episodes: Episodes) -> np.ndarray:
    """`[T, N]` see `Networks.tokens`."""
    tokens = np.asarray(number(env, target_of(env).tokens(episodes)))
    if env.name == "MultiarmedBandit":
        tokens = tokens * env.num_arms + np.asarray(episodes.action)
    return np.concatenate([np.zeros_like(tokens[:1]), 1 + tokens[:-1]])
