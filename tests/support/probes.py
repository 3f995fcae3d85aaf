"""Environments so small that a learning algorithm that is right solves them in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct

from agents.hyperparams import Hyperparams
from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone, LanguageModel
from agents.ppo import make_train
from popjax import cards
from popjax.core import Environment, first, then
from popjax.envs.repeat_first import RepeatFirst
from popjax.spaces import Box, Discrete
from popjax.tokens import target_of

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
"""`jax.jit` for programs that run shortly: compiling them takes longer, so it is done roughly."""


class State(struct.PyTreeNode):
    bit: jax.Array
    time: jax.Array


@dataclass(frozen=True)
class Recall(Environment):
    """A bit is shown, then nothing for `delay` steps, then it must be named.

    With `delay = 0` the answer is due while the bit is still seen. `delayed_reward` pays only at
    the end of an episode for the answer given to the first observation.
    """

    delay: int = 0
    delayed_reward: bool = False

    @property
    def observation_space(self):
        return Discrete(3)

    @property
    def action_space(self):
        return Discrete(2)

    @property
    def max_steps(self):
        return self.delay + 1

    def reset(self, key):
        bit = jax.random.randint(key, (), 0, 2)
        return State(bit=bit, time=jnp.int32(0)), first(bit)

    def transition(self, key, state, action):
        due = 0 if self.delayed_reward else self.delay
        answer = jnp.where(action == state.bit, 1.0, -1.0)
        last = state.time == self.delay
        if self.delayed_reward:  # the first answer is kept in the bit's place: 2 right, 3 wrong
            kept = jnp.where(state.time == due, jnp.where(answer > 0, 2, 3), state.bit)
            reward = jnp.where(last, jnp.where(kept == 2, 1.0, -1.0), 0.0)
            state = State(bit=kept, time=state.time + 1)
        else:
            reward = jnp.where(last, answer, 0.0)
            state = State(bit=state.bit, time=state.time + 1)
        return state, then(jnp.int32(2), reward, terminated=last)


@dataclass(frozen=True)
class Cut(Recall):
    """`Recall` whose end is a time limit."""

    def transition(self, key, state, action):
        state, timestep = super().transition(key, state, action)
        never = jnp.zeros_like(timestep.terminated)
        return state, timestep.replace(terminated=never, truncated=timestep.terminated)


@dataclass(frozen=True)
class Aim(Environment):
    """A number is shown, and the action pays 1 less its squared distance to it."""

    @property
    def observation_space(self):
        return Box((-1.0,), (1.0,))

    @property
    def action_space(self):
        return Box((-1.0,), (1.0,))

    @property
    def max_steps(self):
        return 1

    def reset(self, key):
        number = self.observation_space.sample(key)
        return number, first(number)

    def transition(self, key, state, action):
        return state, then(state, 1 - jnp.square(action - state)[0], terminated=True)


def small_network(env: Environment, memory: str, features: int = 16) -> ActorCritic:
    """A small agent for a discrete environment."""
    blocks = (MEMORIES[memory](features=features),)
    return ActorCritic(Backbone(blocks), env.action_space.flat_size, head_features=16)


def any_parameters(network: ActorCritic, width: int, seed: int = 0) -> Any:
    """Parameters of the right shapes, drawn by NumPy: an identity holds for all, and compiling the
    initialisers of 29 networks takes minutes."""
    x, start = jnp.zeros((1, 1, width)), jnp.ones((1, 1), bool)
    make = partial(network.init, jax.random.key(0), network.initial_carry(1))
    rng = np.random.default_rng(seed)
    return jax.tree.map(
        lambda leaf: jnp.float32(rng.normal(0, 0.3, leaf.shape)), jax.eval_shape(make, x, start)
    )


@partial(quick, static_argnums=(0, 1, 2, 3))
def run(env, network, config, num_updates, key, hyperparams):
    init, segment = make_train(env, network, config)
    return segment(init(key, hyperparams, num_updates), hyperparams, num_updates)


def train(env, network, config, num_updates, **hyperparams):
    """A whole run in one segment: the last state and the metrics."""
    return run(env, network, config, num_updates, jax.random.key(0), Hyperparams(**hyperparams))


def small_model(env: Environment, memory: str = "gru", features: int = 16) -> LanguageModel:
    """A small language model with the same backbone."""
    backbone = Backbone((MEMORIES[memory](features=features),))
    return LanguageModel(backbone, target_of(env).sizes, head_features=16)


TINY = cards.Deck(4, 4)


@dataclass(frozen=True)
class TinyDeck(RepeatFirst):
    """RepeatFirst with 4 cards of each suit instead of 13."""

    deck: cards.Deck = TINY

    @property
    def name(self):
        return "RepeatFirst"

    @property
    def floor(self) -> float:
        """Nats a token of the true law: all orders of the deck are equally likely."""
        return math.log(math.factorial(16) / math.factorial(4) ** 4 / 4) / 15

    @property
    def without_memory(self) -> float:
        """Nats a token for who sees one card: 3 of the others are like it, 4 of each other suit."""
        return -(3 / 15 * math.log(3 / 15) + 12 / 15 * math.log(4 / 15))
