"""Training on any rung: fresh whole episodes at every update, one gradient each.

Histories, batch shape, optimiser and network are the same on all of them, so that two rungs differ
in what their names say and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

from agents.lm import LMConfig, init_params, inputs_of, reading, slow_down
from agents.networks import Backbone, Head, LanguageModel
from agents.ppo import Hyperparams, optimiser
from agents.regimes.choices import index, of, sizes_of
from agents.regimes.data import Batch, by_player, by_policy, histories, own_labels
from agents.regimes.oracles import follow, mediocre, oracle_of
from agents.regimes.rungs import Regime, advantage, counts, loss, mean, read, words
from popjax.core import Environment
from popjax.players import Player, make_player, play
from popjax.tokens import target_of


class Critic(nn.Module):
    """What will be earned, foreseen by a backbone of its own; it is no part of the learner."""

    backbone: Backbone
    head_features: int = 128

    @nn.compact
    def __call__(self, x: Float[Array, "T B d"], start: Bool[Array, "T B"]) -> Float[Array, "T B"]:
        _, features = self.backbone(self.backbone.initial_carry(x.shape[1]), x, start)
        return Head(1, self.head_features, 0.01, name="value")(features)[..., 0]


class TrainState(struct.PyTreeNode):
    """All that a run needs to go on. critic, reference: parameters, `()` where there are none.
    update: `[]` updates made. num_updates: `[]` the run's length (for the schedule)."""

    params: Any
    opt_state: Any
    critic: Any
    critic_opt_state: Any
    reference: Any
    key: Key[Array, ""]
    update: Int[Array, ""]
    num_updates: Int[Array, ""]


def check(env: Environment, regime: Regime, config: LMConfig) -> None:
    """A ValueError if the regime makes no sense there."""
    if regime.says == "token" and len(target_of(env).sizes) > 1:
        raise ValueError(f"a token of {env.name} has several components: it cannot be guessed")
    if regime.says == "action" or "action" in regime.labels:
        sizes_of(env)
    if config.num_episodes % regime.group:
        raise ValueError(
            f"num_episodes ({config.num_episodes}) must be whole groups of {regime.group}"
        )
    if config.corpus and regime.played_by == "policy":
        raise ValueError("a learner that plays its own histories has no fixed corpus")
    if config.corpus:
        raise ValueError("the rungs read new episodes at every update: leave the corpus at 0")


def make_collect(
    env: Environment,
    network: LanguageModel,
    config: LMConfig,
    regime: Regime,
    oracle: Player | None,
) -> Callable[[Any, Key[Array, ""]], Batch]:
    """`(params, key) -> Batch`, all of it but the weight. The key is consumed."""
    inputs, target, N = inputs_of(env, config), target_of(env), config.num_episodes
    from_outside = regime.needs_oracle and regime.played_by != "oracle"
    teacher = (oracle, follow(env)) if from_outside else None
    player = oracle if regime.played_by == "oracle" else make_player(env, config.player)

    def collect(params: Any, key: Key[Array, ""]) -> Batch:
        key_play, key_say = jax.random.split(key)
        if regime.played_by == "policy" or from_outside:
            chooser = by_player(player, N)
            if regime.played_by == "policy":
                chooser = by_policy(env, network, params, N, inputs)
            episodes, label, labelled = histories(
                env, chooser, key_play, N, teacher, regime.group, regime.coupled
            )
        else:
            episodes = play(env, player, key_play, N)
            nothing = jnp.zeros_like(episodes.valid)
            label, labelled = nothing.astype(jnp.int32), nothing
            if regime.needs_oracle:
                label, labelled = own_labels(env, episodes)
        x, start = reading(env, episodes, inputs)
        nothing = jnp.zeros_like(episodes.reward)
        batch = Batch(
            x=x,
            start=start,
            valid=episodes.valid,
            action=env.action_space.flatten(episodes.action),
            token=target.tokens(episodes),
            label=label,
            labelled=labelled,
            said=jnp.zeros_like(label),
            log_prob=nothing,
            reward=jnp.where(episodes.valid, episodes.reward, 0.0),
            reference=nothing,
            weight=nothing,
        )
        return say(params, batch, key_say, episodes) if regime.says else batch

    def say(params, batch: Batch, key, episodes) -> Batch:
        pi = words(env, regime, *read(params, env, network, batch))
        if regime.says == "token":
            said = jax.random.categorical(key, pi)
        else:
            said = index(env, episodes.action)
        return batch.replace(said=said, log_prob=of(pi, said))

    return collect


def make_train(
    env: Environment,
    network: LanguageModel,
    config: LMConfig,
    regime: Regime,
    privileged: Player | None = None,
) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, dict[str, Array]]]]:
    """`init(key, hyperparams, num_updates) -> TrainState` and
    `segment(state, hyperparams, num_updates) -> (TrainState, metrics)`, both pure.

    `segment`'s `num_updates` is static; each metric has one row an update. privileged: an oracle
    that sees the hidden state, instead of the one that knows the history only.
    """
    check(env, regime, config)
    oracle = oracle_of(env, privileged) if regime.needs_oracle else None
    collect = make_collect(env, network, config, regime, oracle)
    critic = Critic(network.backbone, network.head_features) if regime.baseline == "value" else None
    inputs = inputs_of(env, config)

    def init(
        key: Key[Array, ""], hyperparams: Hyperparams, num_updates: Any, params: Any = None
    ) -> TrainState:
        """params: where to begin, instead of anew; and for `anchored` instead of pre-training."""
        key_params, key_critic, key_before, key_train = jax.random.split(key, 4)
        if params is None:
            params = init_params(env, network, key_params, inputs)
            if regime.anchored:
                params = pretrained(params, key_before, hyperparams)
        x, start = reading(env, play(env, make_player(env, "random"), key, 1), inputs)
        critic_params = critic.init(key_critic, x[:1], start[:1]) if critic else ()
        return TrainState(
            params=params,
            opt_state=optimiser(hyperparams).init(params),
            critic=critic_params,
            critic_opt_state=optimiser(hyperparams).init(critic_params) if critic else (),
            reference=params if regime.anchored else (),
            key=key_train,
            update=jnp.int32(0),
            num_updates=jnp.asarray(num_updates, jnp.int32),
        )

    def pretrained(params, key, hyperparams: Hyperparams):
        """The parameters after cloning a mediocre player."""
        player = mediocre(env, regime.slips)
        clone = Regime("R1", "", "oracle", labels=("action",))
        init, segment = make_train(env, network, config, clone, player)
        state = init(key, hyperparams, regime.pretrain_updates, params)
        return segment(state, hyperparams, regime.pretrain_updates)[0].params

    def update(state: TrainState, hyperparams: Hyperparams):
        batch = collect(state.params, jax.random.fold_in(state.key, state.update))
        held_back = slow_down(config, (state.update + 1) / (state.num_updates + 1))
        step = optimiser(hyperparams, held_back).update
        metrics = {}
        if regime.anchored:
            pi = words(env, regime, *read(state.reference, env, network, batch))
            batch = batch.replace(reference=of(pi, batch.said))
            metrics["kl"] = mean(batch.log_prob - batch.reference, batch.valid)
        if regime.says:
            value = critic.apply(state.critic, batch.x, batch.start) if critic else 0.0
            weight, signal = advantage(env, regime, batch, value, hyperparams.kl)
            batch = batch.replace(weight=weight)
            metrics["heavy"] = mean(jnp.abs(weight) > 1e3, counts(regime, batch))
        if critic:

            def critic_loss(params):
                error = critic.apply(params, batch.x, batch.start) - signal
                return mean(jnp.square(error), counts(regime, batch))

            metrics["value_error"], grads = jax.value_and_grad(critic_loss)(state.critic)
            updates, critic_opt_state = step(grads, state.critic_opt_state, state.critic)
            state = state.replace(
                critic=optax.apply_updates(state.critic, updates),
                critic_opt_state=critic_opt_state,
            )
        grads, learned = jax.grad(loss, has_aux=True)(
            state.params, env, network, regime, batch, hyperparams.entropy
        )
        updates, opt_state = step(grads, state.opt_state, state.params)
        state = state.replace(
            params=optax.apply_updates(state.params, updates),
            opt_state=opt_state,
            update=state.update + 1,
        )
        own = regime.played_by == "policy"
        returns = jnp.mean(jnp.sum(batch.reward, axis=0)) if own else jnp.nan
        return state, {
            "return": returns,
            **learned,
            **metrics,
            "grad_norm": optax.tree.norm(grads),
        }

    def segment(state: TrainState, hyperparams: Hyperparams, num_updates: int):
        return jax.lax.scan(lambda state, _: update(state, hyperparams), state, length=num_updates)

    return init, segment
