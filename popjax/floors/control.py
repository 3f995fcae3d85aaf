"""A bound for poles and pendulums: a particle filter that reads tokens.

Observations are real numbers, so their tokens are bins, and the floor is a property of the bins.
There is no closed law given the tokens so far. The predictor keeps a cloud of states that agree
with them, moves each by the task's own equations, and predicts the mix of what they would show
(Gordon, Salmond and Smith, "Novel approach to nonlinear/non-Gaussian Bayesian state estimation",
1993, with their roughening). It sees the tokens alone, so its loss is an upper bound of the floor.
The lower bound is 0: without noise, and without bins, two observations give the state.

Bins: `num_bins` a component, equal shares of the range of the observation. Velocities have no
range and are put on a scale by the mu-law first; a pendulum without noise shows one angle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.scipy.special import ndtr
from jaxtyping import Array, Float, Int, Key

from popjax.envs import cartpole, pendulum
from popjax.floors.base import Law

POLICY_MATTERS, BOUND = True, "particle filter on 64 bins a component"
ROUGHENING = 0.2  # times the cloud's extent and its size to the power -1 / dimensions
DOUBT = 1e-3  # the share of the uniform law in the mix
LEAST_SHAKE = {2: (0.01, 0.05), 4: (3e-4, 3e-3, 1.5e-4, 3e-3)}  # less, and it loses the track
BLUR = 0.1  # of a bin: how sharply the filter looks where the task adds no noise
MU, MOST = 100.0, 256.0


class Cloud(struct.PyTreeNode):
    """states: `[N, d]` hidden states, all as likely. key: of the next resampling."""

    states: Float[Array, "N d"]
    key: Key[Array, ""]


@dataclass(frozen=True)
class FilterLaw(Law):
    """The token is that of all components together, the first one leading."""

    num_bins: int = 64
    num_particles: int = 512
    exact = False

    @property
    def num_tokens(self):
        return self.num_bins**self._components

    @property
    def _components(self) -> int:
        return 1 if isinstance(self.env, pendulum.PositionOnlyPendulum) else 2

    def begin(self, obs):
        key_states, key_resample, key_next = jax.random.split(jax.random.key(0), 3)
        states = start(self.env, jax.random.split(key_states, self.num_particles))
        shown = jax.vmap(lambda state: self._scaled(show(self.env, state, first=True), first=True))
        chances = self._chances(shown(states), first=True)
        bins = self._bins(self._scaled(obs, first=True))
        return Cloud(self._resample(key_resample, states, chances, bins), key_next)

    def log_probs(self, belief, action):
        chances = self._answers(belief, action)[1]
        if self._components == 2:
            mix = jnp.einsum("na,nb->ab", chances[:, 0], chances[:, 1]).reshape(-1)
        else:
            mix = jnp.sum(chances[:, 0], axis=0)
        mix = mix / self.num_particles
        return jnp.log((1 - DOUBT) * mix + DOUBT / self.num_tokens)

    def token(self, action, timestep):
        bins = self._bins(self._scaled(timestep.obs))
        return jnp.sum(bins * self.num_bins ** np.arange(self._components)[::-1]).astype(jnp.int32)

    def update(self, belief, action, token):
        states, chances = self._answers(belief, action)
        bins = jnp.stack([token // self.num_bins**i for i in range(self._components)][::-1])
        key_resample, key_next = jax.random.split(belief.key)
        states = self._resample(key_resample, states, chances, bins % self.num_bins)
        return Cloud(states, key_next)

    def _answers(self, belief, action):
        states = jax.vmap(lambda state: move(self.env, state, action))(belief.states)
        shown = jax.vmap(lambda state: self._scaled(show(self.env, state)))(states)
        return states, self._chances(shown)

    def _scaled(self, obs: Float[Array, "2"], first: bool = False) -> Float[Array, " c"]:
        """Each component on a scale from -1 to 1."""
        if self._components == 1:
            return jnp.arctan2(obs[1], obs[0])[None] / math.pi
        if isinstance(self.env, pendulum.Pendulum):
            return obs
        if shows_rates(self.env, first):
            return jnp.sign(obs) * jnp.log1p(MU * jnp.abs(obs)) / math.log1p(MU * MOST)
        return obs / jnp.array([2 * cartpole.X_LIMIT, 2 * cartpole.ANGLE_LIMIT], obs.dtype)

    def _bins(self, scaled: Float[Array, " c"]) -> Int[Array, " c"]:
        bins = jnp.floor((scaled + 1) / 2 * self.num_bins).astype(jnp.int32)
        return jnp.clip(bins, 0, self.num_bins - 1)

    def _chances(
        self, scaled: Float[Array, "N c"], first: bool = False
    ) -> Float[Array, "N c bins"]:
        """Of each bin to show a blurred component. What is beyond the scale falls in its ends; on
        the circle it comes back on the other side."""
        edges = np.linspace(-1, 1, self.num_bins + 1, dtype=np.float32)
        sigma = jnp.float32(BLUR * 2 / self.num_bins)
        if hasattr(self.env, "sigma"):
            sigma = self.env.sigma * self._scaled(jnp.ones(2, jnp.float32), first)
        if self._components == 2:
            edges[0], edges[-1] = -np.inf, np.inf
            return self._between(edges, scaled, sigma)
        return sum(self._between(edges + turn, scaled, sigma) for turn in (-2, 0, 2))

    def _between(self, edges, scaled, sigma):
        sigma = jnp.broadcast_to(sigma, scaled.shape[-1:])[:, None]
        return jnp.diff(ndtr((edges - scaled[..., None]) / sigma), axis=-1)

    def _resample(self, key, states, chances, bins):
        """As many states, drawn by how well they explain the bins, and then shaken a little."""
        key_draw, key_shake = jax.random.split(key)
        seen = jnp.take_along_axis(chances, bins[None, :, None], axis=2)[..., 0]
        weights = jnp.prod(seen, axis=1) + 1e-30  # if none explains them, all stay
        upto = jnp.cumsum(weights)
        comb = jnp.arange(self.num_particles) + jax.random.uniform(key_draw, dtype=upto.dtype)
        drawn = jnp.searchsorted(upto, comb / self.num_particles * upto[-1])
        states = states[jnp.minimum(drawn, self.num_particles - 1)]
        apart = states - states[:1]
        if isinstance(self.env, pendulum.Pendulum):
            apart = apart.at[:, 0].set(pendulum.wrap(apart[:, 0]))
        extent = jnp.max(apart, axis=0) - jnp.min(apart, axis=0)
        scale = ROUGHENING * extent * self.num_particles ** (-1 / states.shape[1])
        scale = jnp.maximum(scale, jnp.array(LEAST_SHAKE[states.shape[1]], states.dtype))
        return states + scale * jax.random.normal(key_shake, states.shape, states.dtype)


def start(env, keys: Key[Array, " N"]) -> Float[Array, "N d"]:
    """Hidden states as an episode may begin in."""
    if isinstance(env, cartpole.CartPole):
        state = jax.vmap(cartpole.begin)(keys)
        return jnp.stack([state.x, state.x_dot, state.angle, state.angle_dot], axis=1)
    state = jax.vmap(pendulum.begin)(keys)
    return jnp.stack([state.angle, state.speed], axis=1)


def move(env, state: Float[Array, " d"], action: Array) -> Float[Array, " d"]:
    """The hidden state after an action."""
    if isinstance(env, cartpole.CartPole):
        after = cartpole.push(cartpole.State(*state, time=0), action)
        return jnp.stack([after.x, after.x_dot, after.angle, after.angle_dot])
    after = pendulum.swing(pendulum.State(*state, time=0), action[0])
    return jnp.stack([after.angle, after.speed])


def show(env, state: Float[Array, " d"], first: bool = False) -> Float[Array, "2"]:
    """What is seen of a hidden state, but for the noise."""
    if isinstance(env, cartpole.CartPole):
        return state[np.array([1, 3] if shows_rates(env, first) else [0, 2])]
    return jnp.stack([jnp.cos(state[0]), jnp.sin(state[0])])


def shows_rates(env, first: bool) -> bool:
    """VelocityOnlyCartPole shows velocities, but at first it may show positions."""
    rates = isinstance(env, cartpole.VelocityOnlyCartPole)
    return rates and not (first and env.reference_quirks)


def law(env) -> Law:
    return FilterLaw(env)
