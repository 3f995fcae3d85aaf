"""The one way to act: the input, the network's step, and the action drawn from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from agents.distributions import choose, distribution
from agents.inputs import Inputs, agent_input, input_size
from popjax.core import Environment
from popjax.spaces import Box, Discrete


class Thought(NamedTuple):
    """What led to an action, `[B, ...]`.

    x: the agent's input. policy, value: raw outputs of the network. sample: the draw from the
    policy, to which log-probabilities belong; the environment takes the nearest action.
    """

    x: Float[Array, "B d"]
    policy: Float[Array, "B n"]
    value: Float[Array, " B"]
    sample: Array


@dataclass(frozen=True)
class Agent:
    """A network that acts in an environment with these spaces. Static: it holds no arrays.

    network: `initial_carry`, `apply(params, carry, x, start) -> (carry, policy, value)`, and
        `squash`: an `ActorCritic`. A language model acts as a
        `LanguageAgent` (`agents.language_agent`).
    inputs: what it reads, see `agents.inputs`. env: whose bins those are, with "bins".

    >>> import jax
    >>> import jax.numpy as jnp
    >>> from agents.small import small
    >>> env, network, params = small()
    >>> agent, carry = Agent.of(env, network), network.initial_carry(2)
    >>> obs, start, nothing = jnp.array([1, 3]), jnp.ones(2, bool), jnp.zeros(2, int)
    >>> carry, action, thought = agent.act(params, jax.random.key(0), carry, obs, start, nothing)
    >>> action.shape, thought.policy.shape, thought.value.shape
    ((2,), (2, 4), (2,))
    """

    network: Any
    observation_space: Discrete | Box
    action_space: Discrete | Box
    inputs: Inputs = "obs+action"
    env: Environment | None = None

    def __post_init__(self):
        if self.inputs in ("bins", "bins+action") and self.env is None:
            raise ValueError("an agent that reads bins needs the environment they are of")

    @classmethod
    def of(cls, env: Environment, network: Any, inputs: Inputs = "obs+action") -> Agent:
        """An agent for an environment."""
        bins_of = env if inputs.startswith("bins") else None
        return cls(network, env.observation_space, env.action_space, inputs, bins_of)

    @property
    def squash(self) -> bool:
        """Whether reals are drawn inside their bounds, see `agents.distributions`."""
        return self.network.squash

    def initial_carry(self, batch_size: int) -> Any:
        """Before the first observation of so many episodes."""
        return self.network.initial_carry(batch_size)

    def first_action(self, batch_size: int) -> Array:
        """What stands for the previous action where an episode starts; it is not read."""
        space = self.action_space
        return jnp.zeros((batch_size, *space.shape), space.dtype)

    def read(self, obs: Array, start: Bool[Array, " B"], previous_action: Array) -> Array:
        """The agent's input `[B, d]`."""
        return agent_input(self.env or self, obs, previous_action, start, self.inputs)

    def distribution(self, policy: Float[Array, "*batch n"]) -> Any:
        """Over actions, from raw outputs."""
        return distribution(self.action_space, policy, self.squash)

    def act(
        self,
        params: Any,
        key: Key[Array, ""],
        carry: Any,
        obs: Array,
        start: Bool[Array, " B"],
        previous_action: Array,
        greedy: Bool[Array, ""] | bool = False,
    ) -> tuple[Any, Array, Thought]:
        """One step of `B` episodes: carry, actions `[B, ...]` in the action space, and what led to
        them. The key is consumed.

        start: obs begins an episode; its previous action is then not read. greedy: the likeliest
        action instead of a sample; may be traced.
        """
        x = self.read(obs, start, previous_action)
        carry, policy, value = self.unroll(params, carry, x[None], start[None])
        action, sample = choose(key, self.action_space, policy[0], greedy, self.squash)
        return carry, action, Thought(x, policy[0], value[0], sample)

    def value(
        self,
        params: Any,
        carry: Any,
        obs: Array,
        start: Bool[Array, " B"],
        previous_action: Array,
    ) -> Float[Array, " B"]:
        """The value of observations at which nothing is done."""
        x = self.read(obs, start, previous_action)
        return self.unroll(params, carry, x[None], start[None])[2][0]

    def unroll(
        self, params: Any, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B n"], Float[Array, "T B"]]:
        """Carry, policy and value along sequences of inputs, for learning and measuring."""
        return self.network.apply(params, carry, x, start)

    def init(self, key: Key[Array, ""]) -> Any:
        """Fresh parameters. The key is consumed."""
        x = jnp.zeros((1, 1, input_size(self.env or self, self.inputs)))
        return self.network.init(key, self.initial_carry(1), x, jnp.ones((1, 1), bool))
