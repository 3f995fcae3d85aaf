"""PPO on the network and the histories of `experiments.bridge.batched_objectives`: several epochs
of the clipped surrogate on the same batch of whole episodes, with a separate critic.

Every other objective takes one gradient step per batch; PPO takes one per epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

from agents.choices import log_probs, sizes_of, take_along_last
from agents.gae import gae
from agents.hyperparams import Hyperparams, optimiser
from agents.language_agent import LanguageAgent
from agents.lm import LMConfig, inputs_of
from agents.nats import label_nats
from agents.networks import LanguageModel
from agents.objectives import OBJECTIVES, make_train
from agents.objectives.histories import Batch
from agents.objectives.objective import mean
from agents.objectives.signals import over_group
from agents.objectives.train import Critic, TrainState
from agents.surrogate import standardised
from experiments.bridge.batched_objectives import make_batch_sampler
from popjax.core import Environment
from popjax.players import Player

UPDATE_EPOCHS = 4


def advantages(
    batch: Batch, value: Float[Array, "T B"], hyperparams: Hyperparams
) -> tuple[Float[Array, "T B"], Float[Array, "T B"]]:
    """Standardised generalised advantage estimates, and the critic's targets."""
    after = jnp.concatenate([batch.valid[1:], jnp.zeros_like(batch.valid[:1])])
    last = batch.valid & ~after
    estimate, target = gae(
        batch.reward,
        value,
        last,
        jnp.zeros_like(value[0]),
        hyperparams.gamma,
        hyperparams.gae_lambda,
    )
    return standardised(estimate), target


def surrogate(
    params: Any,
    agent: LanguageAgent,
    hyperparams: Hyperparams,
    batch: Batch,
    advantage: Float[Array, "T B"],
) -> Float[Array, ""]:
    """The clipped objective of Schulman et al. 2017 (arXiv 1707.06347) with its entropy bonus."""
    pi = log_probs(sizes_of(agent.env), agent.outputs(params, batch).action)
    ratio = jnp.exp(take_along_last(pi, batch.sampled) - batch.log_prob)
    clipped = jnp.clip(ratio, 1 - hyperparams.clip, 1 + hyperparams.clip)
    gain = jnp.minimum(ratio * advantage, clipped * advantage)
    return -mean(gain + hyperparams.entropy * label_nats(pi), batch.valid)


def first_gradient(
    params: Any, agent: LanguageAgent, hyperparams: Hyperparams, batch: Batch
) -> Any:
    """Surrogate gradient of the first epoch for a learner without a critic. The baseline is the
    mean return over episodes from the same step, the best a clock-only critic can do."""
    to_come = jnp.cumsum(batch.reward[::-1], axis=0)[::-1]
    value = over_group(to_come, batch.valid, batch.reward.shape[1])
    advantage, _ = advantages(batch, value, hyperparams)
    return jax.grad(surrogate)(params, agent, hyperparams, batch, advantage)


def make_ppo(
    env: Environment, network: LanguageModel, config: LMConfig, oracle: Player | None = None
) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, dict[str, Array]]]]:
    """`init(key, hyperparams, num_updates)` and `step(state, hyperparams) -> (state, metrics)`: one
    batch, `UPDATE_EPOCHS` gradients."""
    rung = OBJECTIVES["sum_to_end"]  # has a critic, and treats rewards as verdicts
    init = make_train(env, network, config, rung, oracle)[0]
    agent = LanguageAgent.of(env, network, inputs_of(env, config))
    sample_batch = make_batch_sampler(agent, config.num_episodes, oracle)
    critic = Critic(network.backbone, network.head_features)

    def step(state: TrainState, hyperparams: Hyperparams):
        batch = sample_batch(state.params, state.key, state.update, 0.0)
        value = critic.apply(state.critic, batch.x, batch.start)
        advantage, target = advantages(batch, value, hyperparams)
        turn = optimiser(hyperparams).update
        outputs = agent.outputs(state.params, batch)
        metrics = OBJECTIVES["bandit"].supervision_metrics(agent, batch, outputs)

        def one_epoch(run, _):
            params, opt_state, critic_params, critic_opt_state = run
            grads = jax.grad(surrogate)(params, agent, hyperparams, batch, advantage)
            updates, opt_state = turn(grads, opt_state, params)

            def error(critic_params):
                value = critic.apply(critic_params, batch.x, batch.start)
                return mean(jnp.square(value - target), batch.valid)

            changes, critic_opt_state = turn(
                jax.grad(error)(critic_params), critic_opt_state, critic_params
            )
            params = optax.apply_updates(params, updates)
            critic_params = optax.apply_updates(critic_params, changes)
            return (params, opt_state, critic_params, critic_opt_state), None

        begin = (state.params, state.opt_state, state.critic, state.critic_opt_state)
        run, _ = jax.lax.scan(one_epoch, begin, length=UPDATE_EPOCHS)
        params, opt_state, critic_params, critic_opt_state = run
        state = state.replace(
            params=params,
            opt_state=opt_state,
            critic=critic_params,
            critic_opt_state=critic_opt_state,
            update=state.update + 1,
        )
        seen = metrics["environment_tokens"]
        return state, metrics | {"gradient_tokens": UPDATE_EPOCHS * seen}

    return init, step
