"""A language model as an agent: its action head is the policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from agents.agent import Agent
from agents.choices import log_probs
from agents.inputs import Inputs, input_size
from agents.networks import LanguageModel
from popjax.core import Environment
from popjax.tokens import target_of


class Outputs(NamedTuple):
    """Raw outputs along whole episodes. token: logits of the next token's components, side by side.
    action: those of the action's."""

    token: Float[Array, "T B sizes"]
    action: Float[Array, "T B num_actions"]


@dataclass(frozen=True)
class LanguageAgent(Agent):
    """A `LanguageModel` in an environment, whose tokens it predicts and whose actions it chooses.
    It knows no values. An action of several integers is drawn as one choice among their
    combinations.

    >>> import jax
    >>> from agents.small import small
    >>> env, network, _ = small()
    >>> model = LanguageModel(network.backbone, (4,), num_actions=4)
    >>> agent = LanguageAgent.of(env, model, "obs")
    >>> params = agent.init(jax.random.key(0))
    >>> x = jnp.zeros((1, 2, input_size(env, "obs")))
    >>> start = jnp.ones((1, 2), bool)
    >>> [y.shape for y in agent.unroll(params, agent.initial_carry(2), x, start)[1:]]
    [(1, 2, 4), (1, 2)]
    """

    squash = False

    @classmethod
    def of(
        cls, env: Environment, network: LanguageModel, inputs: Inputs = "obs+action"
    ) -> LanguageAgent:
        """A model in an environment."""
        return cls(network, env.observation_space, env.action_space, inputs, env)

    def init(self, key: Key[Array, ""]) -> Any:
        """Fresh parameters of both heads. The key is consumed."""
        target = target_of(self.env)
        one = jnp.ones((1, 1))
        return self.network.init(
            key,
            self.initial_carry(1),
            one[..., None] * jnp.zeros(input_size(self.env, self.inputs)),
            one > 0,
            one[..., None] * jnp.zeros(self.action_space.flat_size)
            if target.needs_action
            else None,
            one[..., None] * jnp.zeros(sum(target.sizes)) if len(target.sizes) > 1 else None,
        )

    def action_outputs(
        self, params: Any, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B num_actions"]]:
        """Carry and raw outputs of the action head, where the next token is not known yet: the
        other head reads zeros, and its output is dropped."""
        target = target_of(self.env)
        action = jnp.zeros((*x.shape[:2], self.action_space.flat_size), x.dtype)
        token = jnp.zeros((*x.shape[:2], sum(target.sizes)), x.dtype)
        action = action if target.needs_action else None
        token = token if len(target.sizes) > 1 else None
        carry, _, policy = self.network.apply(params, carry, x, start, action, token)
        return carry, policy

    def unroll(
        self, params: Any, carry: Any, x: Float[Array, "T B d"], start: Bool[Array, "T B"]
    ) -> tuple[Any, Float[Array, "T B n"], Float[Array, "T B"]]:
        carry, policy = self.action_outputs(params, carry, x, start)
        value, space = jnp.zeros(policy.shape[:2]), self.action_space
        return carry, log_probs(space.components, policy) if space.shape else policy, value

    def outputs(self, params: Any, batch: Any) -> Outputs:
        """Of both heads, along whole episodes.

        batch: has `x` and `start`, what is read; `action`, the flat codes of the actions taken; and
            `token`, the tokens that answered them.
        """
        target = target_of(self.env)
        action = batch.action if target.needs_action else None
        token = target.flatten(batch.token) if len(target.sizes) > 1 else None
        carry = self.initial_carry(batch.x.shape[1])
        _, *outputs = self.network.apply(params, carry, batch.x, batch.start, action, token)
        return Outputs(*outputs)
