"""PPO (Schulman et al. 2017, arXiv 1707.06347) for memory models, compiled end to end.

`make_train` returns two pure functions. `init` makes the whole state of a training run; `segment`
advances it by many updates. Between segments the host writes metrics, shows progress and saves. Jit
and vmap are up to the caller: over seeds and points of hyper-parameters, all is one program.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Key

from agents import train_state
from agents.agent import Agent
from agents.gae import gae
from agents.hyperparams import Hyperparams, Schedule
from agents.inputs import Inputs
from agents.networks import ActorCritic
from agents.precision import Precision, products
from agents.ranges import Count, Within, check_ranges
from agents.rollout import Actor, Transition, collect, reset_actors
from agents.supervision import realised_verdict_nats, verdict_nats
from agents.surrogate import Batch, ppo_loss, standardised
from popjax.core import Environment
from popjax.families import family_of


@dataclass(frozen=True)
class PPOConfig:
    """What changes shapes or the program.

    >>> PPOConfig(num_envs=8, num_steps=16).steps_per_update
    128
    """

    num_envs: Count = 64
    """Environments in parallel."""
    num_steps: Count = 128
    """Steps of each environment per update, which is also the length of backpropagation."""
    num_epochs: Annotated[int, Within(1, 1000)] = 4
    """Epochs over the data of one update."""
    num_minibatches: Count = 8
    """Minibatches per epoch; each holds whole sequences."""
    inputs: Inputs = "obs+action"
    """What the agent reads: the observation with or without its own previous action; obs+joint:
    one code for each combination of the action's integers, such as row and column."""
    schedule: Schedule = "linear"
    """How the learning rate decays to zero over the run; constant: not at all."""
    warmup: Annotated[float, Within(0, 1, below=True)] = 0.0
    """Share of the run over which the learning rate first rises from zero."""
    normalise_advantages: Literal["minibatch", "batch", "no"] = "minibatch"
    """Whether advantages are standardised per minibatch, per batch, or not."""
    bootstrap_truncated: bool = False
    """At a time limit, bootstrap from the value of the last observation."""
    precision: Precision = "default"
    """Precision of matrix products: the device's default, float32 or bfloat16; all else is
    float32."""

    def __post_init__(self):
        check_ranges(self)
        if self.num_envs % self.num_minibatches:
            raise ValueError(
                f"num_minibatches ({self.num_minibatches}) must divide num_envs ({self.num_envs}): "
                "minibatches hold whole sequences"
            )

    @property
    def steps_per_update(self) -> int:
        return self.num_envs * self.num_steps


class TrainState(train_state.TrainState):
    """With the agents in their environments, and `kl`, `[]`, the present coefficient of the KL
    penalty.

    >>> from agents.small import small
    >>> env, network, _ = small()
    >>> init, _ = make_train(env, network, PPOConfig(num_envs=8, num_steps=16))
    >>> state = jax.eval_shape(lambda key: init(key, Hyperparams(), 100), jax.random.key(0))
    >>> state.actor.obs.shape, state.update.dtype.name
    ((8,), 'int32')
    """

    actor: Actor
    kl: Float[Array, ""]


def supervision_metrics(env: Environment, config: PPOConfig, data: Transition) -> dict[str, Array]:
    """Data and feedback of an update, as of the other objectives (`agents.objectives`): environment
    tokens, gradient tokens, and nats of supervision, expected and realised.

    A reward shows whether the action was right where the environment pays for nothing else, and
    where it pays; in other families the nats are not-a-number.

    >>> from types import SimpleNamespace
    >>> from popjax import make
    >>> chance = jnp.log(jnp.full((1, 1), 0.25))
    >>> data = SimpleNamespace(reward=-chance, policy=jnp.zeros((1, 1, 4)), log_prob=chance)
    >>> seen = supervision_metrics(make("RepeatFirstEasy"), PPOConfig(num_epochs=4), data)
    >>> seen["gradient_tokens"].item(), round(seen["realised_nats"].item(), 3)  # ln 4
    (4, 1.386)
    """
    expected = realised = jnp.nan
    if family_of(env).rewards_are_verdicts:
        paid = data.reward != 0
        nats = verdict_nats(jax.nn.log_softmax(data.policy))
        expected = jnp.sum(jnp.where(paid, nats, 0.0))
        nats_realised = realised_verdict_nats(jnp.exp(data.log_prob), data.reward > 0)
        realised = jnp.sum(jnp.where(paid, nats_realised, 0.0))
    return {
        "environment_tokens": jnp.int32(data.reward.size),
        "gradient_tokens": jnp.int32(data.reward.size * config.num_epochs),
        "supervision_nats": jnp.asarray(expected, jnp.float32),
        "realised_nats": jnp.asarray(realised, jnp.float32),
    }


def update_epochs(
    agent: Agent,
    config: PPOConfig,
    state: TrainState,
    hyperparams: Hyperparams,
    batch: Batch,
    key: Key[Array, ""],
) -> tuple[tuple[Any, Any], dict[str, Array]]:
    """The gradient steps of one update: new parameters and optimiser state, and metrics with one
    row per minibatch. The key is consumed.

    >>> from agents.small import small
    >>> env, network, _ = small(memory="mlp")
    >>> agent = Agent.of(env, network)
    >>> config = PPOConfig(num_envs=4, num_steps=3, num_epochs=2, num_minibatches=2)
    >>> def one_update(key):
    ...     state = make_train(env, network, config)[0](key, Hyperparams(), 1)
    ...     actor, data, _ = collect(env, agent, state.params, state.actor, key, config.num_steps)
    ...     batch = Batch(state.actor.carry, data, advantage=data.reward, target=data.value)
    ...     return update_epochs(agent, config, state, Hyperparams(), batch, key)
    >>> _, metrics = jax.eval_shape(one_update, jax.random.key(0))
    >>> metrics["loss"].shape
    (4,)
    """
    step = state.optimiser(hyperparams, config.schedule, config.warmup).update
    hyperparams = hyperparams.replace(kl=state.kl)

    def minibatch(learner, columns):
        params, opt_state = learner
        part = batch.columns(columns)
        if config.normalise_advantages == "minibatch":
            part = part.replace(advantage=standardised(part.advantage))
        grads, metrics = jax.grad(ppo_loss, has_aux=True)(params, agent, hyperparams, part)
        updates, opt_state = step(grads, opt_state, params)
        metrics["grad_norm"] = optax.tree.norm(grads)
        return (optax.apply_updates(params, updates), opt_state), metrics

    shuffles = jax.vmap(lambda k: jax.random.permutation(k, config.num_envs))(
        jax.random.split(key, config.num_epochs)
    )
    columns = shuffles.reshape(config.num_epochs * config.num_minibatches, -1)
    return jax.lax.scan(minibatch, (state.params, state.opt_state), columns)


def adapted(coefficient: Any, kl: Any, target: Any) -> Float[Array, ""]:
    """The coefficient of the KL penalty after an update (Schulman et al. 2017, section 4, with
    RLlib's factors): half as much where the divergence fell below half its target, 1.5 times as
    much where it rose above twice that.

    >>> [adapted(0.2, kl, target=0.01).item() < 0.2 for kl in (0.001, 0.01, 0.1)]
    [True, False, False]
    """
    coefficient = jnp.where(kl > 2 * target, 1.5 * coefficient, coefficient)
    return jnp.where(kl < 0.5 * target, 0.5 * coefficient, coefficient)


def make_train(
    env: Environment, network: ActorCritic, config: PPOConfig
) -> tuple[Callable[..., TrainState], Callable[..., tuple[TrainState, dict[str, Array]]]]:
    """`init(key, hyperparams, num_updates) -> TrainState` and
    `segment(state, hyperparams, num_updates) -> (TrainState, metrics)`, both pure.

    `segment`'s `num_updates` is static; each metric has one row per update. `return` is the mean
    return of the episodes that ended during the update, NaN where none did.

    >>> from agents.small import small
    >>> env, network, _ = small(memory="mlp")
    >>> init, segment = make_train(env, network, PPOConfig(num_envs=8, num_steps=4))
    >>> def train(key, updates=5):
    ...     return segment(init(key, Hyperparams(), updates), Hyperparams(), updates)
    >>> state, metrics = jax.eval_shape(train, jax.random.key(0))  # jax.jit to run it
    >>> metrics["return"].shape
    (5,)
    """

    agent = Agent.of(env, network, config.inputs)

    def init(key: Key[Array, ""], hyperparams: Hyperparams, num_updates: Any) -> TrainState:
        key_params, key_actor, key_train = jax.random.split(key, 3)
        return TrainState.create(
            agent.init(key_params),
            key_train,
            hyperparams,
            num_updates,
            actor=reset_actors(env, agent, key_actor, config.num_envs),
            kl=jnp.asarray(hyperparams.kl, jnp.float32),
        )

    def update(state: TrainState, hyperparams: Hyperparams):
        key, key_collect, key_shuffle = jax.random.split(state.key, 3)
        first_carry = state.actor.carry
        actor, data, episodes = collect(
            env,
            agent,
            state.params,
            state.actor,
            key_collect,
            config.num_steps,
            config.bootstrap_truncated,
        )
        bootstrap = agent.value(
            state.params, actor.carry, actor.obs, actor.start, actor.previous_action
        )
        advantage, target = gae(
            data.reward,
            data.value,
            data.last,
            bootstrap,
            hyperparams.gamma,
            hyperparams.gae_lambda,
            data.final_value,
        )
        if config.normalise_advantages == "batch":
            advantage = standardised(advantage)
        batch = Batch(first_carry, data, advantage, target)
        (params, opt_state), metrics = update_epochs(
            agent, config, state, hyperparams, batch, key_shuffle
        )
        first_ratio_error = metrics.pop("ratio_error")[0]
        last_pass = jax.tree.map(lambda m: jnp.mean(m[-config.num_minibatches :]), metrics)
        state = state.replace(
            params=params,
            opt_state=opt_state,
            actor=actor,
            key=key,
            update=state.update + 1,
            kl=adapted(state.kl, last_pass["kl"], hyperparams.kl_target),
        )
        return state, {
            "return": episodes.return_sum / episodes.count,
            "length": episodes.length_sum / episodes.count,
            "episodes": episodes.count,
            "first_ratio_error": first_ratio_error,
            **last_pass,
            **supervision_metrics(env, config, data),
        }

    def segment(state: TrainState, hyperparams: Hyperparams, num_updates: int):
        with products(config.precision):
            return jax.lax.scan(
                lambda state, _: update(state, hyperparams), state, None, num_updates
            )

    return init, segment
