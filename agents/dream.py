"""Sampling from a language model of a task: it dreams what it would be shown.

The first observation is the environment's. From there on the model answers every action with a
token, component by component, the token gives the next observation, and the model reads it. A
model says nothing of the end, so a dream is as long as the longest episode.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Key

from agents.distributions import choose
from agents.language_agent import LanguageAgent
from agents.networks import LanguageModel
from popjax import batch
from popjax.players import Player
from popjax.tokens import target_of


class Dream(struct.PyTreeNode):
    """`N` dreams of `T` steps, time first. obs: the observation acted upon. token: the model's
    answer to the action, and next_obs: the observation it stands for."""

    obs: Array
    action: Array
    token: Int[Array, "T N m"]
    next_obs: Array


def dream(
    agent: LanguageAgent,
    params: Any,
    key: Key[Array, ""],
    num_episodes: int,
    player: Player | None = None,
) -> Dream:
    """`num_episodes` dreams, in which `player` acts, or the model's own action head if there is
    none. The key is consumed."""
    env, network = agent.env, agent.network
    if player is not None and player.sees == "privileged":
        raise ValueError(f"{player.name} sees the hidden state, and a dream has none")
    if player is None and not network.num_actions:
        raise ValueError("a model without an action head needs a player that acts")
    target, space = target_of(env), env.action_space

    def act(key, memory, obs, features):
        if player is None:
            raw = network.apply(params, features, method=lambda model, x: model.policy(x))
            return memory, choose(key, space, raw)[0]
        keys = jax.random.split(key, num_episodes)
        return jax.vmap(player.act, (0, 0, 0, None))(keys, memory, obs, None)

    def one_step(loop, step):
        carry, memory, states, obs, previous = loop
        start, key = step
        key_act, key_token = jax.random.split(key)
        start = jnp.full((1, num_episodes), start)
        x = agent.read(obs, start[0], previous)[None]
        carry, features = network.apply(
            params, carry, x, start, method=lambda model, *args: model.backbone(*args)
        )
        memory, action = act(key_act, memory, obs, features[0])
        action = space.nearest(action)
        code = space.flatten(action) if target.needs_action else None
        token = draw(network, params, key_token, features[0], code)
        states, next_obs = jax.vmap(target.answer)(states, action, token)
        record = Dream(obs=obs, action=action, token=token, next_obs=next_obs)
        return (carry, memory, states, next_obs, action), record

    key_reset, key_steps = jax.random.split(key)
    states, timesteps = batch.reset(env, key_reset, num_episodes)
    memory = player.begin_all(num_episodes) if player else ()
    previous = jnp.zeros((num_episodes, *space.shape), space.dtype)
    loop = (network.initial_carry(num_episodes), memory, states, timesteps.obs, previous)
    steps = (jnp.arange(env.max_steps) == 0, jax.random.split(key_steps, env.max_steps))
    return jax.lax.scan(one_step, loop, steps)[1]


def draw(
    network: LanguageModel,
    params: Any,
    key: Key[Array, ""],
    features: Float[Array, "N d"],
    action: Float[Array, "N a"] | None = None,
) -> Int[Array, "N m"]:
    """Tokens, each component drawn given those before it. The key is consumed."""
    token = jnp.zeros((len(features), 0))  # one-hot codes of the components so far
    drawn, left = [], sum(network.sizes)
    for i, size in enumerate(network.sizes):
        seen = jnp.pad(token, ((0, 0), (0, left)))
        logits = network.apply(params, features, action, seen, method=LanguageModel.token_logits)
        at = token.shape[1]
        own = jax.random.fold_in(key, i)
        drawn.append(jax.random.categorical(own, logits[:, at : at + size]))
        token = jnp.concatenate([token, jax.nn.one_hot(drawn[-1], size)], axis=1)
        left -= size
    return jnp.stack(drawn, axis=1)
