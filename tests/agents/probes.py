"""Environments so small that a learning algorithm that is right solves them in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct

from agents.memory import MEMORIES
from agents.networks import ActorCritic, Backbone, LanguageModel
from popjax import cards
from popjax.core import Environment, first, then
from popjax.envs import repeat_first
from popjax.envs.repeat_first import RepeatFirst
from popjax.spaces import Discrete
from popjax.tokens import target_of


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


def small_network(env: Environment, memory: str, features: int = 16) -> ActorCritic:
    """A small agent for a discrete environment."""
    blocks = (MEMORIES[memory](features=features),)
    return ActorCritic(Backbone(blocks), env.action_space.flat_size, head_features=16)


def small_model(env: Environment, memory: str = "gru", features: int = 16) -> LanguageModel:
    """A small language model with the same backbone."""
    backbone = Backbone((MEMORIES[memory](features=features),))
    return LanguageModel(backbone, target_of(env).sizes, head_features=16)


@dataclass(frozen=True)
class TinyDeck(RepeatFirst):
    """RepeatFirst with 4 cards of each suit instead of 13."""

    @property
    def name(self):
        return "RepeatFirst"

    @property
    def num_cards(self):
        return 16

    def reset(self, key):
        deck, suit = cards.deal(key, 4 * jnp.arange(1, 5))
        return repeat_first.State(deck=deck, asked=suit), first(suit)

    @property
    def floor(self) -> float:
        """Nats a token of the true law: all orders of the deck are equally likely."""
        return math.log(math.factorial(16) / math.factorial(4) ** 4 / 4) / 15

    @property
    def without_memory(self) -> float:
        """Nats a token for who sees one card: 3 of the others are like it, 4 of each other suit."""
        return -(3 / 15 * math.log(3 / 15) + 12 / 15 * math.log(4 / 15))
