"""Trains the networks of `experiments.bridge.same_deck.config`, all seeds of a kind at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from agents import checkpoint
from agents.hyperparams import Hyperparams
from agents.lanes import lane_keys
from agents.lm import inputs_of
from agents.objectives import make_train
from experiments.bridge import rates
from experiments.bridge.same_deck.config import KINDS, UNTRAINED, SameDeckConfig
from experiments.bridge.same_deck.exam import exam, judged
from experiments.results.errors import UserError
from experiments.results.store import Table, read_parquet

SUPERVISION_METRICS = ("gradient_tokens", "supervision_nats")
"""The feedback of a learner, summed over its updates, beside the tokens it reads."""


@dataclass(frozen=True)
class Cell:
    """The networks of one kind on one task, all seeds at once, in a folder."""

    setup: SameDeckConfig
    task: str
    kind: str
    folder: Path

    @cached_property
    def rung(self):
        """`init` and `segment` of the kind's objective."""
        env, network = self.setup.env(self.task), self.setup.network(self.task)
        trained = KINDS["LM" if self.kind == UNTRAINED else self.kind]
        return make_train(env, network, self.setup.config(self.task), trained.rung)

    @property
    def rates_file(self) -> Path:
        return self.folder / f"{self.task}-{self.kind}-rates.parquet"

    @property
    def learning_rate(self) -> float:
        """The learning rate of the reporting seeds."""
        if not self.setup.rates:
            return self.setup.learning_rate
        return rates.best(read_parquet(self.rates_file), "competence", "middle")

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(range(self.setup.seeds))

    def begin(self, seeds: tuple[int, ...]) -> Any:
        """Every seed's state before the first update; equal seeds share the init in all kinds."""
        num_updates = self.setup.num_updates(self.task, self.kind)
        init = partial(self.rung[0], hyperparams=Hyperparams(), num_updates=num_updates)
        return jax.jit(jax.vmap(init))(lane_keys(seeds)[0])

    @property
    def checkpoints(self) -> Path:
        return self.folder / f"{self.task}-{self.kind}"

    def params(self) -> Any:
        """Parameters of the finished networks, `[seeds, ...]`."""
        state = self.begin(self.seeds)
        if self.kind == UNTRAINED:
            return state.params
        return self.restored(self.looks[-1], state)["state"].params

    def restored(self, update: int, state: Any) -> dict[str, Any]:
        """The checkpoint after so many updates; the first studies stored no axes."""
        like = {"state": state, "curves": self.curves(), "axes": self.curves()}
        try:
            return checkpoint.restore(self.checkpoints, update, like)
        except checkpoint.CheckpointError:
            axes = like.pop("axes")
        try:
            return checkpoint.restore(self.checkpoints, update, like) | {"axes": axes}
        except checkpoint.CheckpointError as error:
            raise UserError(str(error)) from None

    @property
    def looks(self) -> list[int]:
        return self.setup.looks(self.task, self.kind)

    def curves(self) -> Float[Array, "looks seeds two"]:
        """Not measured yet."""
        return jnp.full((len(self.looks), self.setup.seeds, 2), jnp.nan)

    def advance(self) -> Callable[..., tuple[Any, Array, Array]]:
        """`(states, learning rates, number) ->` the states after so many updates (donated), with
        competence and its raw number, and `SUPERVISION_METRICS`, `[lanes, 2]` each."""
        setup, network = self.setup, self.setup.network(self.task)
        env = setup.env(self.task)
        inputs = inputs_of(env, setup.config(self.task))
        test = exam(env, setup.judged, inputs)

        @partial(jax.jit, donate_argnums=0)
        @partial(jax.vmap, in_axes=(0, 0, None))
        def advance(state: Any, rate: Array, num_updates: int):
            hyperparams = Hyperparams(learning_rate=rate, max_grad_norm=1.0)

            def one(_, run):
                state, sums = run
                state, news = self.rung[1](state, hyperparams, 1)
                return state, sums + jnp.array(
                    [jnp.sum(news[name]) for name in SUPERVISION_METRICS]
                )

            state, sums = jax.lax.fori_loop(0, num_updates, one, (state, jnp.zeros(2)))
            seen = judged(env, network, self.kind, test, state.params, inputs)
            return state, jnp.stack([seen["competence"], seen["raw"]]), sums

        return advance

    def tried(self, watch: Callable[..., Iterable]) -> Table:
        """All learning rates on tuning seeds: one row per look and run."""
        run, advance, rows = rates.lanes(self.setup.rates, self.setup.trials), self.advance(), []
        state = self.begin(run.seeds)
        for before, update in watch([(0, 0), *pairwise(self.looks)]):
            state, found, _ = advance(state, run.rates, update - before)
            rows.append(found[:, 0])
        return rates.table_of(run, self.looks, "competence", rows)

    def train(self, watch: Callable[..., Iterable]) -> Table:
        """Resumes training and saves a few checkpoints. One row per look and seed: updates and
        tokens so far, competence, its raw number, and `SUPERVISION_METRICS`."""
        setup, env, advance = self.setup, self.setup.env(self.task), self.advance()
        rate = np.full(setup.seeds, self.learning_rate, np.float32)
        kept = {"state": self.begin(self.seeds), "curves": self.curves(), "axes": self.curves()}
        try:
            done = checkpoint.latest(self.checkpoints)
        except checkpoint.CheckpointError as error:
            raise UserError(str(error)) from None
        if done is not None:
            kept = self.restored(done, kept["state"])
        state = kept["state"]
        curves, axes = np.array(kept["curves"]), np.array(kept["axes"])
        spans = [(0, 0), *pairwise(self.looks)]
        left = [i for i, (_, update) in enumerate(spans) if done is None or update > done]
        for i in watch(left):
            before, update = spans[i]
            state, curves[i], news = advance(state, rate, update - before)
            axes[i] = news + (axes[i - 1] if i else 0)
            if i % 8 == 7 or i == len(spans) - 1:
                found = {"curves": jnp.asarray(curves), "axes": jnp.asarray(axes)}
                checkpoint.save(
                    self.checkpoints, update, jax.block_until_ready({"state": state, **found})
                )
        update, seed = (
            a.reshape(-1) for a in np.meshgrid(self.looks, range(setup.seeds), indexing="ij")
        )
        tokens = update * setup.num_episodes * env.max_steps
        competence, raw = curves.reshape(-1, 2).T.astype(np.float64)
        return {
            "update": update,
            "seed": seed,
            "tokens": tokens,
            "competence": competence,
            "raw": raw,
            **dict(zip(SUPERVISION_METRICS, axes.reshape(-1, 2).T.astype(np.float64), strict=True)),
        }
