"""Environment and policy together: from a network to `[T, B]` data and episode statistics."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

from agents.distributions import distribution
from agents.networks import ActorCritic
from popjax import batch
from popjax.bins import Bins
from popjax.core import Environment, State
from popjax.spaces import Box, Discrete

Inputs = Literal["obs+action", "obs+joint", "obs", "bins+action", "bins"]


class Actor(struct.PyTreeNode):
    """Where `B` agents stand between two steps; all leaves lead with `[B]`.

    start: obs begins an episode. previous_action: meaningless where `start`.
    episode_return, episode_length: of the episode under way.

    >>> from agents.small import small
    >>> env, network, _ = small()
    >>> actor = begin(env, network, jax.random.key(0), num_envs=2)
    >>> actor.start.tolist(), actor.episode_length.tolist()
    ([True, True], [0, 0])
    """

    states: State
    obs: Array
    start: Bool[Array, " B"]
    previous_action: Array
    carry: Any
    episode_return: Float[Array, " B"]
    episode_length: Int[Array, " B"]


class Transition(struct.PyTreeNode):
    """What happened, `[T, B, ...]`.

    x: the agent's input. start: obs[t] begins an episode. action, log_prob, policy, value: what the
    agent said and thought there (action: the sample that log_prob is of, of which the environment
    takes the nearest in its space; policy: raw outputs). reward, terminated, truncated: what the
    action led to. final_value: the value of the observation an episode was truncated in, 0
    elsewhere and unless it was asked for.

    >>> row = jnp.zeros((1, 1))
    >>> ended = Transition(row, row, row, row, row, row, row, row > 0, row == 0, row)
    >>> ended.last.tolist()
    [[True]]
    """

    x: Float[Array, "T B d"]
    start: Bool[Array, "T B"]
    action: Array
    log_prob: Float[Array, "T B"]
    policy: Float[Array, "T B n"]
    value: Float[Array, "T B"]
    reward: Float[Array, "T B"]
    terminated: Bool[Array, "T B"]
    truncated: Bool[Array, "T B"]
    final_value: Float[Array, "T B"]

    @property
    def last(self) -> Bool[Array, "T B"]:
        return self.terminated | self.truncated


class EpisodeStats(struct.PyTreeNode):
    """Sums over the episodes that ended: how many, their returns, their lengths.

    >>> stats = EpisodeStats(count=4, return_sum=2.0, length_sum=204)
    >>> stats.return_sum / stats.count
    0.5
    """

    count: Int[Array, ""]
    return_sum: Float[Array, ""]
    length_sum: Int[Array, ""]


def input_size(env: Environment, inputs: Inputs) -> int:
    """Width of `agent_input`.

    >>> from popjax import make
    >>> env = make("RepeatPreviousEasy")  # 4 suits to see, 4 to name
    >>> input_size(env, "obs"), input_size(env, "obs+action")
    (5, 9)
    """
    previous = 0 if inputs in ("obs", "bins") else action_code(env, inputs).flat_size
    return env.observation_space.flat_size + previous + 1


def action_code(env: Environment, inputs: Inputs) -> Discrete | Box:
    """The space as whose member the previous action is read: its own, or with "obs+joint" the
    number of the combination of its integers.

    >>> from popjax import make
    >>> action_code(make("BattleshipEasy"), "obs+joint").flat_size  # 8 rows x 8 columns
    64
    """
    space = env.action_space
    joint = inputs == "obs+joint" and isinstance(space, Discrete)
    return Discrete(space.num_values) if joint else space


def agent_input(
    env: Environment, obs: Array, previous_action: Array, start: Array, inputs: Inputs
) -> Float[Array, "... d"]:
    """`concat(flatten(obs), flatten(previous_action), start)`, the action zero where `start`,
    whatever it was: the paper's PreviousAction and Antialias wrappers in one. `inputs="obs"`
    leaves the previous action out; with "obs+joint" an action of several integers is one code for
    each of their combinations; with "bins" instead of "obs" a real-valued observation is the middle
    of its bin (`popjax.bins`), as a model of tokens sees it.

    >>> from popjax import make
    >>> env = make("RepeatPreviousEasy")
    >>> agent_input(env, jnp.array(2), jnp.array(1), jnp.array(False), "obs+action").tolist()
    [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
    """
    if inputs.startswith("bins"):
        bins = Bins(env)
        obs = bins.centre(bins.index(obs, first=start), first=start)
        inputs = "obs" + inputs.removeprefix("bins")
    start = start[..., None]
    parts = [env.observation_space.flatten(obs), start.astype(jnp.float32)]
    if inputs != "obs":
        taken = env.action_space.nearest(previous_action)
        code = action_code(env, inputs)
        if code != env.action_space:
            taken = env.action_space.to_number(taken)
        parts.insert(1, jnp.where(start, 0.0, code.flatten(taken)))
    return jnp.concatenate(parts, axis=-1)


def begin(env: Environment, network: ActorCritic, key: Key[Array, ""], num_envs: int) -> Actor:
    """`num_envs` agents at the first observation of an episode each. The key is consumed.

    >>> from agents.small import small
    >>> env, network, _ = small()
    >>> begin(env, network, jax.random.key(0), num_envs=3).obs.shape
    (3,)
    """
    states, timesteps = batch.reset(env, key, num_envs)
    action = env.action_space
    return Actor(
        states=states,
        obs=timesteps.obs,
        start=jnp.ones((num_envs,), bool),
        previous_action=jnp.zeros((num_envs, *action.shape), action.dtype),
        carry=network.initial_carry(num_envs),
        episode_return=jnp.zeros((num_envs,)),
        episode_length=jnp.zeros((num_envs,), jnp.int32),
    )


def think(env: Environment, network: ActorCritic, params: Any, actor: Actor, inputs: Inputs):
    """One step of the network at the actor's observation: x `[B, d]`, carry, policy `[B, n]`,
    value `[B]`.

    >>> from agents.small import small
    >>> env, network, params = small()
    >>> actor = begin(env, network, jax.random.key(0), num_envs=3)
    >>> x, carry, policy, value = think(env, network, params, actor, "obs+action")
    >>> x.shape, policy.shape, value.shape
    ((3, 9), (3, 4), (3,))
    """
    x = agent_input(env, actor.obs, actor.previous_action, actor.start, inputs)
    carry, policy, value = network.apply(params, actor.carry, x[None], actor.start[None])
    return x, carry, policy[0], value[0]


def collect(
    env: Environment,
    network: ActorCritic,
    params: Any,
    actor: Actor,
    key: Key[Array, ""],
    num_steps: int,
    inputs: Inputs = "obs+action",
    with_final_value: bool = False,
) -> tuple[Actor, Transition, EpisodeStats]:
    """`num_steps` steps of every agent with automatic reset. The key is consumed.

    >>> from agents.small import small
    >>> env, network, params = small(memory="mlp")
    >>> def run(key):
    ...     return collect(env, network, params, begin(env, network, key, num_envs=2), key, 60)
    >>> actor, data, episodes = jax.jit(run)(jax.random.key(0))
    >>> data.x.shape, episodes.count.item()  # an episode has 51 steps
    ((60, 2, 9), 2)
    """

    def one_step(actor: Actor, key):
        key_action, key_step, key_renew = jax.random.split(key, 3)
        x, carry, policy, value = think(env, network, params, actor, inputs)
        chosen = distribution(env.action_space, policy, network.squash)
        action = chosen.sample(seed=key_action)
        states, timesteps = batch.advance(env, key_step, actor.states, action)
        final_value = jnp.zeros_like(value)
        if with_final_value:
            after = actor.replace(
                obs=timesteps.obs,
                previous_action=action,
                carry=carry,
                start=jnp.zeros_like(actor.start),
            )
            truncated = timesteps.truncated & ~timesteps.terminated
            final_value = think(env, network, params, after, inputs)[3]
            final_value = jnp.where(truncated, final_value, 0.0)
        states, timesteps = batch.renew(env, key_renew, states, timesteps)
        last = timesteps.last
        episode_return = actor.episode_return + timesteps.reward
        episode_length = actor.episode_length + 1
        ended = (jnp.where(last, episode_return, 0.0), jnp.where(last, episode_length, 0), last)
        transition = Transition(
            x=x,
            start=actor.start,
            action=action,
            log_prob=chosen.log_prob(action),
            policy=policy,
            value=value,
            reward=timesteps.reward,
            terminated=timesteps.terminated,
            truncated=timesteps.truncated,
            final_value=final_value,
        )
        actor = Actor(
            states=states,
            obs=timesteps.obs,
            start=last,
            previous_action=action,
            carry=carry,
            episode_return=jnp.where(last, 0.0, episode_return),
            episode_length=jnp.where(last, 0, episode_length),
        )
        return actor, (transition, ended)

    actor, (transitions, ended) = jax.lax.scan(one_step, actor, jax.random.split(key, num_steps))
    returns, lengths, last = (jnp.sum(part) for part in ended)
    stats = EpisodeStats(count=last, return_sum=returns, length_sum=lengths)
    return actor, transitions, stats
