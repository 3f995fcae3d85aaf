"""Training on any rung: fresh whole episodes at every update, one gradient each.

Histories, batch shape, optimiser and network are the same on all of them, so that two rungs differ
in what their names say and nothing else.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Key

from agents import train_state
from agents.choices import sizes_of, take_along_last
from agents.hyperparams import Hyperparams, optimiser
from agents.inputs import input_size
from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, episode_inputs, inputs_of
from agents.networks import Backbone, Head, LanguageModel
from agents.objectives.histories import Batch, by_agent, by_player, histories, own_labels
from agents.objectives.objective import Objective, mean
from agents.objectives.oracles import oracle_of
from agents.reader import make_reader
from popjax.core import Environment
from popjax.players import Player, play
from popjax.players.follow import follow, slipping
from popjax.tokens import target_of
from popjax.tokens.corpora import in_parts, players_of


class Critic(nn.Module):
    """The signal to come, predicted by a backbone of its own; it is no part of the learner."""

    backbone: Backbone
    head_features: int = 128

    @nn.compact
    def __call__(self, x: Float[Array, "T B d"], start: Bool[Array, "T B"]) -> Float[Array, "T B"]:
        _, features = self.backbone(self.backbone.initial_carry(x.shape[1]), x, start)
        return Head(1, self.head_features, 0.01, name="value")(features)[..., 0]


class TrainState(train_state.TrainState):
    """With the parameters of a critic and of a reference model, `()` where there are none."""

    critic: Any
    critic_opt_state: Any
    reference: Any


def check(env: Environment, objective: Objective, config: LMConfig) -> None:
    """A ValueError if the objective makes no sense there."""
    if objective.scored_head == "token" and len(target_of(env).sizes) > 1:
        raise ValueError(f"a token of {env.name} has several components: it cannot be guessed")
    if objective.scored_head == "action" or "action" in objective.labels:
        sizes_of(env)
    if config.num_episodes % objective.group:
        raise ValueError(
            f"num_episodes ({config.num_episodes}) must be whole groups of {objective.group}"
        )
    if config.corpus and objective.played_by == "policy":
        raise ValueError("a learner that plays its own histories reads no corpus: leave it at 0")


def make_histories(
    agent: LanguageAgent, config: LMConfig, objective: Objective, oracle: Player | None
) -> tuple[Callable[[], Any], Callable[..., Any]]:
    """`library() -> a finite corpus`, None if there is none, and `read(params, library, key,
    update) -> (episodes, label, labelled)`, the key being that of the whole run."""
    env, N = agent.env, config.num_episodes
    teacher = (oracle, follow(env)) if objective.needs_oracle else None

    def own(params, library, key, update):
        chooser = by_agent(agent, params, N)
        key = jax.random.fold_in(key, update)
        return histories(env, chooser, key, N, teacher, objective.group, objective.coupled)

    def one_player(player: Player, key: Key[Array, ""], size: int):
        if teacher and player is not oracle:
            return histories(env, by_player(player, size), key, size, teacher)
        episodes = play(env, player, key, size)
        if teacher:
            return episodes, *own_labels(env, episodes)
        nothing = jnp.zeros_like(episodes.valid)
        return episodes, nothing.astype(jnp.int32), nothing

    def draw(key: Key[Array, ""], size: int):
        return in_parts(players, key, size, one_player)

    if objective.played_by == "policy":
        return lambda: None, own
    players = (oracle,) if objective.played_by == "oracle" else players_of(env, config.player)
    library, read = make_reader(draw, N, config.corpus, config.corpus_seed)
    return library, lambda params, *where: read(*where)


def make_batch(agent: LanguageAgent, objective: Objective) -> Callable[..., Batch]:
    """`(params, key, episodes, label, labelled) -> Batch`, all of it but the weight and the
    reference. The key is consumed."""

    env = agent.env

    def batch(params, key, episodes, label, labelled) -> Batch:
        x, start = episode_inputs(env, episodes, agent.inputs)
        nothing = jnp.zeros_like(episodes.reward)
        batch = Batch(
            x=x,
            start=start,
            valid=episodes.valid,
            action=env.action_space.flatten(episodes.action),
            token=target_of(env).tokens(episodes),
            label=label,
            labelled=labelled,
            sampled=jnp.zeros_like(label),
            log_prob=nothing,
            reward=jnp.where(episodes.valid, episodes.reward, 0.0),
            reference=nothing,
            weight=nothing,
        )
        if not objective.scored_head:
            return batch
        pi = objective.choices(env, agent.outputs(params, batch))
        guess = objective.scored_head == "token"
        taken = env.action_space.to_number
        said = jax.random.categorical(key, pi) if guess else taken(episodes.action)
        return batch.replace(sampled=said, log_prob=take_along_last(pi, said))

    return batch


def make_train(
    env: Environment,
    network: LanguageModel,
    config: LMConfig,
    objective: Objective,
    privileged: Player | None = None,
) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, dict[str, Array]]]]:
    """`init(key, hyperparams, num_updates) -> TrainState` and
    `segment(state, hyperparams, num_updates) -> (TrainState, metrics)`, both pure.

    `segment`'s `num_updates` is static; each metric has one row an update. privileged: an oracle
    that sees the hidden state, instead of the one that knows the history only.
    """
    check(env, objective, config)
    oracle = oracle_of(env, privileged) if objective.needs_oracle else None
    agent = LanguageAgent.of(env, network, inputs_of(env, config))
    library, read_histories = make_histories(agent, config, objective, oracle)
    make = make_batch(agent, objective)
    critic = (
        Critic(network.backbone, network.head_features) if objective.baseline == "value" else None
    )

    def init(
        key: Key[Array, ""], hyperparams: Hyperparams, num_updates: Any, params: Any = None
    ) -> TrainState:
        """params: where to begin, instead of fresh parameters or after pre-training."""
        key_params, key_critic, key_before, key_train = jax.random.split(key, 4)
        if params is None:
            params = agent.init(key_params)
            if objective.pretrain:
                params = pretrained(params, key_before, hyperparams)
        x, start = jnp.zeros((1, 1, input_size(env, agent.inputs))), jnp.ones((1, 1), bool)
        critic_params = critic.init(key_critic, x, start) if critic else ()
        return TrainState.create(
            params,
            key_train,
            hyperparams,
            num_updates,
            critic=critic_params,
            critic_opt_state=optimiser(hyperparams).init(critic_params) if critic else (),
            reference=params if objective.pretrain else (),
        )

    def pretrained(params, key, hyperparams: Hyperparams):
        """The parameters after a model has read a mediocre player."""
        player = slipping(env, oracle_of(env), objective.slips)
        rung = dataclasses.replace(objective.pretrain, played_by="oracle")
        init, segment = make_train(env, network, config, rung, player)
        state = init(key, hyperparams, objective.pretrain_updates, params)
        return segment(state, hyperparams, objective.pretrain_updates)[0].params

    def update(state: TrainState, hyperparams: Hyperparams, corpus: Any):
        key_read, key_say = jax.random.split(state.key)
        found = read_histories(state.params, corpus, key_read, state.update)
        batch = make(state.params, jax.random.fold_in(key_say, state.update), *found)
        metrics = {}
        if objective.pretrain:
            pi = objective.choices(env, agent.outputs(state.reference, batch))
            batch = batch.replace(reference=take_along_last(pi, batch.sampled))
            metrics["kl"] = mean(batch.log_prob - batch.reference, batch.valid)
        if objective.scored_head:
            value = critic.apply(state.critic, batch.x, batch.start) if critic else 0.0
            weight, signal = objective.advantage(agent, hyperparams, batch, value)
            batch = batch.replace(weight=weight)
            metrics["heavy"] = mean(jnp.abs(weight) > 1e3, objective.counts(batch))
        if critic:

            def critic_loss(params):
                error = critic.apply(params, batch.x, batch.start) - signal
                return mean(jnp.square(error), objective.counts(batch))

            metrics["value_error"], grads = jax.value_and_grad(critic_loss)(state.critic)
            step = state.optimiser(hyperparams, config.lm_schedule, config.lm_warmup).update
            updates, critic_opt_state = step(grads, state.critic_opt_state, state.critic)
            state = state.replace(
                critic=optax.apply_updates(state.critic, updates),
                critic_opt_state=critic_opt_state,
            )
        grads, learned = jax.grad(objective.loss, has_aux=True)(
            state.params, agent, hyperparams, batch
        )
        state = state.apply_gradients(grads, hyperparams, config.lm_schedule, config.lm_warmup)
        own = objective.played_by == "policy"
        returns = jnp.mean(jnp.sum(batch.reward, axis=0)) if own else jnp.nan
        return state, {
            "return": returns,
            **learned,
            **metrics,
            "grad_norm": optax.tree.norm(grads),
        }

    def segment(state: TrainState, hyperparams: Hyperparams, num_updates: int):
        corpus = library()
        return jax.lax.scan(
            lambda state, _: update(state, hyperparams, corpus), state, length=num_updates
        )

    return init, segment
