"""A policy's accuracy in the expert's loop and in its own, on the same new episodes.

In the open loop the expert acts and the policy only predicts; in the closed loop the policy acts
and the expert labels each step. Accuracy is the policy's probability of the label, so only the
histories are sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from agents.choices import log_probs, sizes_of, take_along_last
from agents.language_agent import LanguageAgent
from agents.lm import episode_inputs
from agents.objectives.histories import Chooser, by_agent, by_player, histories
from agents.objectives.oracles import oracle_of
from popjax.core import Environment
from popjax.players import Episodes, Player
from popjax.players.follow import follow


def label_log_probs(
    agent: LanguageAgent, params: Any, episodes: Episodes, label: Int[Array, "T N"]
) -> Float[Array, "T N"]:
    """The policy's probabilities of the labels along histories."""
    x, start = episode_inputs(agent.env, episodes, agent.inputs)
    carry = agent.initial_carry(x.shape[1])
    _, policy = agent.action_outputs(params, carry, x, start)
    return take_along_last(log_probs(sizes_of(agent.env), policy), label)


def judge(
    agent: LanguageAgent,
    num_episodes: int,
    params: Any,
    key: Key[Array, ""],
    oracle: Player | None = None,
    more: Callable[[Episodes], dict[str, Array]] | None = None,
) -> dict[str, Array]:
    """Means over new episodes, all of T steps. The key is consumed.

    oracle: the expert, with the memory of the family's reference player, which is the default.
    more: further measures of the policy's own episodes.

    open_right, closed_right: `[T]` probability of the right action, in the expert's loop and in
        the policy's own. open_nats, closed_nats: `[T]` divergence of the policy from the expert.
    return: `[]` of the policy's episodes.
    undone: `[]` probability of the right action after the expert's last one was replaced by a wrong
        one, at one random step of each episode.
    """
    key_episodes, key_slip = jax.random.split(key)
    env, log_right = agent.env, partial(label_log_probs, agent, params)
    chooser = by_agent(agent, params, num_episodes)
    own, own_label = labelled(env, chooser, key_episodes, num_episodes, oracle)
    experts, label = experts_own(env, key_episodes, num_episodes, oracle)
    closed, opened = log_right(own, own_label), log_right(experts, label)
    slipped, after = one_slip(env, experts, label, key_slip)
    return {
        "open_right": jnp.mean(jnp.exp(opened), axis=1),
        "closed_right": jnp.mean(jnp.exp(closed), axis=1),
        "open_nats": -jnp.mean(opened, axis=1),
        "closed_nats": -jnp.mean(closed, axis=1),
        "return": jnp.mean(own.returns),
        "undone": jnp.sum(jnp.exp(log_right(slipped, label)), where=after) / num_episodes,
        **(more(own) if more else {}),
    }


def open_right(
    agent: LanguageAgent, num_episodes: int, params: Any, key: Key[Array, ""]
) -> Float[Array, ""]:
    """The mean of `judge`'s open_right alone. The key is consumed."""
    experts, label = experts_own(agent.env, key, num_episodes)
    return jnp.mean(jnp.exp(label_log_probs(agent, params, experts, label)))


def labelled(
    env: Environment,
    chooser: Chooser,
    key: Key[Array, ""],
    num_episodes: int,
    oracle: Player | None = None,
) -> tuple[Episodes, Int[Array, "T N"]]:
    """New episodes and the expert's action at each step. The key is consumed."""
    teacher = (oracle_of(env, oracle), follow(env))
    episodes, label, _ = histories(env, chooser, key, num_episodes, teacher)
    return episodes, label


def experts_own(
    env: Environment, key: Key[Array, ""], num_episodes: int, oracle: Player | None = None
) -> tuple[Episodes, Int[Array, "T N"]]:
    """The same where the expert acts: the same key deals the same cards."""
    expert = by_player(oracle_of(env, oracle), num_episodes)
    return labelled(env, expert, key, num_episodes, oracle)


def one_slip(
    env: Environment, episodes: Episodes, label: Int[Array, "T N"], key: Key[Array, ""]
) -> tuple[Episodes, Bool[Array, "T N"]]:
    """Episodes in which one action, never the last, differs from the label; and `[T, N]` bool, the
    step after it. The key is consumed."""
    key_when, key_what = jax.random.split(key)
    T, N = label.shape
    when = jnp.arange(T)[:, None] == jax.random.randint(key_when, (N,), 0, T - 1)
    choices = env.action_space.num_values
    other = (label + jax.random.randint(key_what, label.shape, 1, choices)) % choices
    action = jnp.where(when, env.action_space.from_number(other), episodes.action)
    return episodes.replace(action=action), jnp.roll(when, 1, axis=0)
