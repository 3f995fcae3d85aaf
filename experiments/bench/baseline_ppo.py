"""The plain way, to measure against: recurrent PPO as a short JAX script would have it.

What it does as such scripts do, and `agents` does not: a scan over a cell that multiplies its input
at every step, differentiated as it stands; every environment reset at every step and the reset
kept where an episode ended; a deck that is shuffled whole at every reset; data shuffled by copying
all of it each epoch. The work is the same: as many parameters, inputs, steps, passes and
minibatches as `agents.ppo` has. For the bench alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import distrax
import flax.linen as nn
import jax
import jax.numpy as jnp
import optax
from flax import struct
from flax.training.train_state import TrainState
from jaxtyping import Array, Int

from agents.hyperparams import Hyperparams
from agents.ppo import PPOConfig
from popjax.core import Environment, first, then
from popjax.envs.repeat_previous import RepeatPrevious


class Deck(struct.PyTreeNode):
    """cards: `[n]` the suits in their order. dealt: `[]` how many are out."""

    cards: Int[Array, " n"]
    dealt: Int[Array, ""]


@dataclass(frozen=True)
class ShuffledRepeatPrevious(RepeatPrevious):
    """The same task with its deck laid out and shuffled whole at a reset."""

    def reset(self, key):
        cards = jax.random.permutation(key, jnp.tile(jnp.arange(self.deck.kinds), self.deck.each))
        return Deck(cards, jnp.int32(1)), first(cards[0])

    def transition(self, key, state, action):
        cards, dealt = state.cards, state.dealt
        verdict = jnp.where(action == cards[dealt - self.k], 1.0, -1.0) / (self.num_cards - self.k)
        reward = jnp.where(dealt >= self.k, verdict, 0.0)
        over = dealt + 1 >= self.num_cards
        return Deck(cards, dealt + 1), then(cards[dealt], reward, terminated=over)


def plain(env: Environment) -> Environment:
    """The environment as other ports have it."""
    if type(env) is RepeatPrevious:
        return ShuffledRepeatPrevious(env.deck, env.k)
    return env


class ScannedGRU(nn.Module):
    """Flax's cell under `nn.scan`, its state set to zero where an episode starts."""

    @nn.compact
    def __call__(self, carry, inputs):
        def one_step(cell, carry, inputs):
            x, start = inputs
            carry = jnp.where(start[:, None], jnp.zeros_like(carry), carry)
            return cell(carry, x)

        scan = nn.scan(one_step, variable_broadcast="params", split_rngs={"params": False})
        return scan(nn.GRUCell(carry.shape[-1]), carry, inputs)


class PlainActorCritic(nn.Module):
    """Encoder, GRU (or without memory two dense layers), and two heads of two layers each."""

    num_actions: int
    features: int
    head_features: int
    recurrent: bool

    @nn.compact
    def __call__(self, carry, inputs):
        x, start = inputs
        x = nn.relu(nn.Dense(self.features)(x))
        if self.recurrent:
            carry, x = ScannedGRU()(carry, (x, start))
        else:
            x = nn.relu(nn.Dense(self.features)(nn.relu(nn.Dense(self.features)(x))))
        outputs = []
        for size, scale in ((self.num_actions, 0.01), (1, 1.0)):
            y = x
            for _ in range(2):
                y = nn.relu(nn.Dense(self.head_features)(y))
            init = nn.initializers.variance_scaling(scale**2, "fan_in", "normal")
            outputs.append(nn.Dense(size, kernel_init=init)(y))
        logits, value = outputs
        return carry, distrax.Categorical(logits=logits), value[..., 0]


class Step(NamedTuple):
    """One step of every environment, `[T, B, ...]`."""

    x: Any
    start: Any
    action: Any
    log_prob: Any
    value: Any
    reward: Any
    last: Any


def make_train(
    env: Environment,
    config: PPOConfig,
    features: int = 256,
    head_features: int = 128,
    recurrent: bool = True,
    hyperparams: Hyperparams | None = None,
) -> tuple[Callable[..., Any], Callable[..., tuple[Any, Any]]]:
    """`init(key, num_updates) -> state` and `segment(state, num_updates) -> (state, rewards)`, of
    which the last is the mean reward of a step, one an update. Actions must be single integers."""
    hp = hyperparams or Hyperparams()
    num_actions = env.action_space.flat_size
    network = PlainActorCritic(num_actions, features, head_features, recurrent)

    def agent_input(obs, action, start):
        flag = start[..., None].astype(jnp.float32)
        codes = env.observation_space.flatten(obs), env.action_space.flatten(action) * (1 - flag)
        return jnp.concatenate([*codes, flag], axis=-1)

    def init(key, num_updates):
        key_params, key_envs, key = jax.random.split(key, 3)
        env_state, timestep = jax.vmap(env.reset)(jax.random.split(key_envs, config.num_envs))
        start = jnp.ones(config.num_envs, bool)
        action = jnp.zeros(config.num_envs, jnp.int32)
        carry = jnp.zeros((config.num_envs, features))
        x = agent_input(timestep.obs, action, start)
        params = network.init(key_params, carry, (x[None], start[None]))
        count = num_updates * config.num_epochs * config.num_minibatches
        rate = optax.linear_schedule(hp.learning_rate, 0.0, count)
        optimiser = optax.chain(
            optax.clip_by_global_norm(hp.max_grad_norm), optax.adam(rate, eps=hp.adam_eps)
        )
        learner = TrainState.create(apply_fn=network.apply, params=params, tx=optimiser)
        return learner, env_state, timestep.obs, action, start, carry, key

    def env_step(state, _):
        learner, env_state, obs, action, start, carry, key = state
        key, key_action, key_step, key_reset = jax.random.split(key, 4)
        x = agent_input(obs, action, start)
        carry, policy, value = network.apply(learner.params, carry, (x[None], start[None]))
        action, log_prob = policy.sample_and_log_prob(seed=key_action)
        action, log_prob = action[0], log_prob[0]
        keys_step = jax.random.split(key_step, config.num_envs)
        env_state, timestep = jax.vmap(env.step)(keys_step, env_state, action)
        fresh_state, fresh = jax.vmap(env.reset)(jax.random.split(key_reset, config.num_envs))
        last = timestep.last
        env_state, obs = jax.tree.map(
            lambda new, old: jnp.where(last.reshape(-1, *[1] * (old.ndim - 1)), new, old),
            (fresh_state, fresh.obs),
            (env_state, timestep.obs),
        )
        step = Step(x, start, action, log_prob, value[0], timestep.reward, last)
        return (learner, env_state, obs, action, last, carry, key), step

    def estimate(steps, last_value):
        def back(carry, step):
            advantage, next_value = carry
            goes_on = 1.0 - step.last
            delta = step.reward + hp.gamma * next_value * goes_on - step.value
            advantage = delta + hp.gamma * hp.gae_lambda * goes_on * advantage
            return (advantage, step.value), advantage

        start = (jnp.zeros_like(last_value), last_value)
        return jax.lax.scan(back, start, steps, reverse=True)[1]

    def loss(params, carry, steps, advantage, target):
        _, policy, value = network.apply(params, carry[0], (steps.x, steps.start))
        ratio = jnp.exp(policy.log_prob(steps.action) - steps.log_prob)
        advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        clipped = jnp.clip(ratio, 1 - hp.clip, 1 + hp.clip)
        gain = jnp.minimum(ratio * advantage, clipped * advantage).mean()
        return (
            -gain
            + hp.value * jnp.square(value - target).mean()
            - hp.entropy * policy.entropy().mean()
        )

    def minibatch(learner, data):
        grads = jax.grad(loss)(learner.params, *data)
        return learner.apply_gradients(grads=grads), optax.tree.norm(grads)

    def update(learner, data, key):
        """data: `(carry [1, B, F], steps, advantages, targets)`, the rest `[T, B, ...]`."""

        def epoch(learner, key):
            order = jax.random.permutation(key, config.num_envs)
            shuffled = jax.tree.map(lambda a: jnp.take(a, order, axis=1), data)
            parts = jax.tree.map(
                lambda a: jnp.swapaxes(
                    a.reshape(a.shape[0], config.num_minibatches, -1, *a.shape[2:]), 0, 1
                ),
                shuffled,
            )
            return jax.lax.scan(minibatch, learner, parts)

        return jax.lax.scan(epoch, learner, jax.random.split(key, config.num_epochs))

    def one_update(state, _):
        first_carry = state[5]
        state, steps = jax.lax.scan(env_step, state, None, config.num_steps)
        learner, env_state, obs, action, start, carry, key = state
        x = agent_input(obs, action, start)
        _, _, value = network.apply(learner.params, carry, (x[None], start[None]))
        advantage = estimate(steps, value[0])
        key, key_update = jax.random.split(key)
        data = first_carry[None], steps, advantage, advantage + steps.value
        learner, _ = update(learner, data, key_update)
        return (learner, env_state, obs, action, start, carry, key), steps.reward.mean()

    def segment(state, num_updates):
        return jax.lax.scan(one_update, state, None, num_updates)

    return init, segment
