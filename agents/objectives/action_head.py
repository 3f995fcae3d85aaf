"""The action head of a language model as an agent."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from agents.agent import Agent
from agents.inputs import Inputs
from agents.networks import LanguageModel
from agents.objectives.choices import log_probs
from popjax.core import Environment
from popjax.tokens import target_of


def policy_outputs(
    env: Environment,
    network: LanguageModel,
    params: Any,
    carry: Any,
    x: Float[Array, "T B d"],
    start: Bool[Array, "T B"],
) -> tuple[Any, Float[Array, "T B num_actions"]]:
    """Carry and raw outputs of the action head, where the next token is not known yet: the other
    head reads zeros, and its output is dropped."""
    target = target_of(env)
    action = jnp.zeros((*x.shape[:2], env.action_space.flat_size), x.dtype)
    token = jnp.zeros((*x.shape[:2], sum(target.sizes)), x.dtype)
    action = action if target.needs_action else None
    token = token if len(target.sizes) > 1 else None
    carry, _, policy = network.apply(params, carry, x, start, action, token)
    return carry, policy


class ActionHead(NamedTuple):
    """In the place of an `ActorCritic`: it knows no values. An action of several integers is drawn
    as one choice among their combinations."""

    env: Environment
    network: LanguageModel
    squash: bool = False

    def initial_carry(self, batch_size: int) -> Any:
        return self.network.initial_carry(batch_size)

    def apply(self, params, carry, x, start):
        carry, policy = policy_outputs(self.env, self.network, params, carry, x, start)
        value = jnp.zeros(policy.shape[:2])
        space = self.env.action_space
        return carry, log_probs(space.components, policy) if space.shape else policy, value


def language_agent(env: Environment, network: LanguageModel, inputs: Inputs) -> Agent:
    """Whose policy is the action head."""
    return Agent.of(env, ActionHead(env, network), inputs)
