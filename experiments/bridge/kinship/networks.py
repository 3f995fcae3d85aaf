"""The networks of one cell, the histories they all read, and networks with another's state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from agents.agent import Agent
from agents.evaluate import evaluate
from agents.inputs import Inputs
from agents.lm import episode_inputs
from agents.nats import token_log_probs
from agents.networks import ActorCritic, Backbone, Head, LanguageModel
from experiments.bridge.kinship.config import KINDS, KinshipConfig
from experiments.bridge.measures.overlap import Deck, deck_of
from experiments.bridge.measures.retention import features_along
from experiments.results.spec import CellSpec
from experiments.results.store import Cell
from experiments.train.objectives import REGIMES, Trainer
from experiments.train.restore import initial_states, inputs_read, trained_states
from popjax.core import Environment
from popjax.floors import log_probs_along, make_law
from popjax.players import Episodes, make_player, play
from popjax.tokens import target_of

HISTORIES_SEED = 2**31 + 11


@dataclass(frozen=True)
class Grafted:
    """A policy that reads another network's features through a linear map: an agent whose memory is
    the donor's and whose head is its own. Parameters are `(donor's backbone, map, head)`, the map
    `[d + 1, d]` with the constant last."""

    backbone: Backbone
    head: Head
    squash: bool = False

    def initial_carry(self, batch_size: int) -> Any:
        return self.backbone.initial_carry(batch_size)

    def apply(
        self, params: Any, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B n"], Float[Array, "T B"]]:
        backbone, weights, head = params
        carry, features = self.backbone.apply({"params": backbone}, carry, x, start)
        features = features @ weights[:-1] + weights[-1]
        policy = self.head.apply({"params": head}, features)
        return carry, policy, jnp.zeros(policy.shape[:-1])


class Networks:
    """All networks of a cell.

    cells: the agent's and the model's, trained. kinds: "agent", "model" and "untrained", each with
    the parameters `[seeds, ...]` of its networks.
    """

    def __init__(self, config: KinshipConfig, cells: Mapping[str, Cell]):
        self.config, self.cells = config, cells
        self.specs: dict[str, CellSpec] = {costume: cell.spec for costume, cell in cells.items()}
        self.trainers: dict[str, Trainer] = {
            costume: REGIMES[spec.regime].trainer(spec) for costume, spec in self.specs.items()
        }

    @property
    def env(self) -> Environment:
        return self.trainers["agent"].env

    @property
    def env_id(self) -> str:
        return self.specs["agent"].env

    @property
    def seeds(self) -> int:
        return len(self.specs["agent"].seeds)

    @property
    def inputs(self) -> Inputs:
        return inputs_read(self.specs["agent"], self.trainers["agent"])

    @property
    def actor(self) -> ActorCritic:
        return self.trainers["agent"].network

    @property
    def model(self) -> LanguageModel:
        return self.trainers["model"].network

    @property
    def deck(self) -> Deck:
        return deck_of(self.env)

    @cached_property
    def params(self) -> dict[str, Any]:
        """The networks of each kind."""
        found = {
            costume: trained_states(cell.spec, self.trainers[costume], cell.folder).params
            for costume, cell in self.cells.items()
        }
        begun = initial_states(self.specs["agent"], self.trainers["agent"]).params
        return found | {"untrained": begun}

    def backbones(self, kind: str) -> Any:
        """`[seeds, ...]` parameters of the actor's or model's backbone."""
        return self.params[kind]["params"]["backbone"]

    @cached_property
    def episodes(self) -> Episodes:
        """Held-out histories. In these families cards do not depend on actions and no action is an
        input, so the histories of all players have the same distribution."""
        key = jax.random.key(HISTORIES_SEED)
        return play(self.env, make_player(self.env), key, self.config.histories)

    @cached_property
    def read(self) -> tuple[Array, Array]:
        return episode_inputs(self.env, self.episodes, self.inputs)

    @cached_property
    def cards(self) -> np.ndarray:
        """`[T, N, decks]`."""
        obs = np.asarray(self.episodes.obs)
        return obs.reshape(*obs.shape[:2], -1)

    @cached_property
    def tokens(self) -> np.ndarray:
        """`[T, N]` the current observation as one integer."""
        sizes = (self.deck.num_kinds,) * self.deck.num_decks
        return np.ravel_multi_index(np.moveaxis(self.cards, -1, 0), sizes)

    @cached_property
    def states(self) -> dict[str, np.ndarray]:
        """`[seeds, T, N, d]` features that the head reads, for each kind."""
        x, start = self.read

        @jax.jit
        def along(params):
            return features_along(self.model, {"params": {"backbone": params}}, x, start)

        def of(kind):
            every = self.backbones(kind)
            one = [jax.tree.map(lambda leaf, i=i: leaf[i], every) for i in range(self.seeds)]
            return np.stack([np.asarray(along(params)) for params in one])

        return {kind: of(kind) for kind in KINDS}

    def at(self, t: int) -> np.ndarray:
        """`[3 seeds, N, d]` the states of all networks after step t, in the order of `KINDS`."""
        return np.concatenate([self.states[kind][:, t] for kind in KINDS])

    @property
    def times(self) -> tuple[int, ...]:
        """The steps, counted from 0, after which states are probed."""
        first, last = self.deck.steps
        spread = np.linspace(max(1, first - 1), last - 1, self.config.times + 2)[1:-1]
        return tuple(np.unique(spread.round().astype(int)).tolist())

    @property
    def head(self) -> Head:
        """The agents' policy head."""
        begin = self.actor.head_init
        return Head(
            self.actor.num_actions,
            self.actor.head_features,
            begin.policy,
            begin.gain,
            begin.init,
        )

    @cached_property
    def returns_of(self):
        """`(backbone, map, head) -> mean return` of many grafted agents, sequentially, in the same
        episodes."""
        agent = Agent.of(self.env, Grafted(self.actor.backbone, self.head), self.inputs)
        key = jax.random.key(HISTORIES_SEED + 1)

        def one(params):
            return jnp.mean(evaluate(self.env, agent, params, key, self.config.episodes))

        return jax.jit(lambda every: jax.lax.map(one, every))

    @cached_property
    def policy(self):
        """`(policy head, features) -> probabilities` of actions."""
        return jax.jit(lambda head, s: jax.nn.softmax(self.head.apply({"params": head}, s)))

    @cached_property
    def next_card(self):
        """`(model's parameters, features) -> probabilities` of the next token's first component."""
        sizes = self.model.sizes

        def law(params, features):
            token = jnp.zeros((*features.shape[:-1], sum(sizes))) if len(sizes) > 1 else None
            logits = self.model.apply(
                {"params": params}, features, None, token, method=LanguageModel.token_logits
            )
            return jax.nn.softmax(logits[..., : sizes[0]])

        return jax.jit(law)

    @cached_property
    def nats_of(self):
        """`(model's parameters, features) -> nats per token` on histories with these features."""
        target = target_of(self.env)
        token = target.tokens(self.episodes)
        flat = target.flatten(token) if len(target.sizes) > 1 else None
        valid = self.episodes.valid

        def one(params, features, rows):
            own = None if flat is None else flat[:, rows]
            logits = self.model.apply(
                {"params": params}, features, None, own, method=LanguageModel.token_logits
            )
            log_prob, _ = token_log_probs(self.model.sizes, logits, token[:, rows])
            return -jnp.mean(log_prob, where=valid[:, rows])

        return jax.jit(partial(one, rows=self.held_out))

    def right_action(self, t: int) -> np.ndarray:
        """`[N, actions]` one-hot: the reference player's action after step t."""
        space = self.env.action_space
        return np.eye(space.num_values)[np.asarray(space.to_number(self.episodes.action[t]))]

    def law_of_next(self, t: int) -> np.ndarray:
        """`[N, K]` the exact distribution of the next token's first component after step t."""
        law = np.exp(np.asarray(log_probs_along(make_law(self.env), self.episodes)[0][t]))
        return law.reshape(len(law), self.model.sizes[0], -1).sum(axis=-1)

    @property
    def held_out(self) -> np.ndarray:
        """The held-out histories, on which no map is fitted: every other one."""
        return np.arange(1, self.config.histories, 2)

    @property
    def fitted(self) -> np.ndarray:
        return np.arange(0, self.config.histories, 2)
