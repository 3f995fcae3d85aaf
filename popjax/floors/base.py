"""What a law is, and what it says of whole episodes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from popjax.core import Environment, TimeStep
from popjax.players import Episodes

Belief = Any  # a law's own pytree


@dataclass(frozen=True)
class Law:
    """How likely each next token is, given the history: all observations and actions so far.

    The token is the part of the next time step that the history does not settle, as one integer.
    Belief and probabilities are unbatched and jittable, and as precise as JAX is told to be:
    float32, or float64 under `jax.enable_x64()`. What cannot come has log-probability -inf.

    exact: the true law. If not, it is some predictor that sees the history alone, and its loss is
        an upper bound of the floor, for nothing predicts better than the true law does.
    """

    env: Environment
    exact: ClassVar[bool] = True

    @property
    def num_tokens(self) -> int:
        raise NotImplementedError

    def begin(self, obs: Array) -> Belief:
        """What is believed after the first observation of an episode."""
        raise NotImplementedError

    def log_probs(self, belief: Belief, action: Array) -> Float[Array, " tokens"]:
        """`[num_tokens]`, of the token that the action will be answered with."""
        raise NotImplementedError

    def token(self, action: Array, timestep: TimeStep) -> Int[Array, ""]:
        """The token of the time step that answered the action."""
        return timestep.obs

    def update(self, belief: Belief, action: Array, token: Int[Array, ""]) -> Belief:
        """What is believed once the action was answered."""
        raise NotImplementedError


@partial(jax.jit, static_argnames="law")
def log_probs_along(
    law: Law, episodes: Episodes
) -> tuple[Float[Array, "T N tokens"], Int[Array, "T N"]]:
    """The law at every step of every episode, and the tokens that came."""

    def one_step(belief, step):
        action = law.env.action_space.nearest(step.action)
        log_probs = law.log_probs(belief, action)
        token = law.token(action, _answer(step))
        return law.update(belief, action, token), (log_probs, token)

    def one_episode(episode):
        return jax.lax.scan(one_step, law.begin(episode.obs[0]), episode)[1]

    return jax.vmap(one_episode, 1, 1)(episodes)


@partial(jax.jit, static_argnames="law")
def _surprise(law: Law, episodes: Episodes) -> Float[Array, "T N"]:
    def one_step(belief, step):
        action = law.env.action_space.nearest(step.action)
        token = law.token(action, _answer(step))
        nats = -law.log_probs(belief, action)[token]
        return law.update(belief, action, token), jnp.where(step.valid, nats, 0.0)

    def one_episode(episode):
        return jax.lax.scan(one_step, law.begin(episode.obs[0]), episode)[1]

    return jax.vmap(one_episode, 1, 1)(episodes)


def surprise(law: Law, episodes: Episodes) -> Float[np.ndarray, "T N"]:
    """Nats of every token under the law, in float64; 0 after the end.

    Their mean is the floor on these very episodes: no predictor has a lower expected loss.

    >>> import popjax
    >>> from popjax.floors import make_law
    >>> from popjax.players import make_player, play
    >>> env = popjax.make("RepeatFirstEasy")
    >>> episodes = play(env, make_player(env, "random"), jax.random.key(0), 2)
    >>> surprise(make_law(env), episodes).sum(0).round(6).tolist()
    [64.765887, 64.765887]
    """
    with jax.enable_x64(True):
        return np.asarray(_surprise(law, episodes.replace(state=None, next_state=None)))


def _answer(step: Episodes) -> TimeStep:
    return TimeStep(step.next_obs, step.reward, step.terminated, step.truncated)
