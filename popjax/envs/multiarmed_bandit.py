"""MultiarmedBandit: find the arm that pays most often, and stay with it."""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int

from popjax import fields
from popjax.core import Environment, first, then
from popjax.spaces import Discrete

MOST_ARMS = 1000


class State(struct.PyTreeNode):
    """payoffs: `[arms]` the probability that each arm pays. pulls, wins: `[arms]` how often each
    was pulled and paid, for pictures. time: `[]` pulls so far."""

    payoffs: Float[Array, " arms"]
    pulls: Int[Array, " arms"]
    wins: Int[Array, " arms"]
    time: Int[Array, ""]


@dataclass(frozen=True)
class MultiarmedBandit(Environment):
    """Each arm pays with a probability of its own, drawn for every episode.

    Observation: `[]` int, 1 if the arm just pulled paid, else 0; 0 at reset. It does not say which
        arm that was, so a policy must know its own last action.
    Action: `[]` int, the arm to pull.
    Reward: 1 / T if the arm pays, else -1 / T.
    End: truncated after T pulls.
    Differs from the reference in: nothing.
    Fields: num_arms from 2 to 1,000; max_steps T from 1 to 1,000,000.
    """

    num_arms: int = 10
    max_steps: int = 200
    needs_previous_action = True

    def __post_init__(self):
        fields.whole(self, "num_arms", 2, MOST_ARMS)
        fields.whole(self, "max_steps", 1, fields.MOST_STEPS)

    @property
    def observation_space(self) -> Discrete:
        return Discrete(2)

    @property
    def action_space(self) -> Discrete:
        return Discrete(self.num_arms)

    def reset(self, key):
        payoffs = jax.random.uniform(key, (self.num_arms,))
        none = jnp.zeros(self.num_arms, jnp.int16 if self.max_steps < 2**15 else jnp.int32)
        return State(payoffs=payoffs, pulls=none, wins=none, time=jnp.int32(0)), first(jnp.int32(0))

    def transition(self, key, state, action):
        pays = jax.random.uniform(key) < state.payoffs[action]
        pulled = jnp.arange(self.num_arms) == action
        state = state.replace(
            pulls=state.pulls + pulled, wins=state.wins + (pulled & pays), time=state.time + 1
        )
        return state, then(
            pays.astype(jnp.int32),
            jnp.where(pays, 1.0, -1.0) / self.max_steps,
            truncated=state.time >= self.max_steps,
        )

    def markov_state(self, state):
        """`[arms]`: the probability of each arm to pay."""
        return state.payoffs


LEVELS = {
    "Easy": MultiarmedBandit(num_arms=10, max_steps=200),
    "Medium": MultiarmedBandit(num_arms=20, max_steps=400),
    "Hard": MultiarmedBandit(num_arms=30, max_steps=600),
}
