"""A bound for poles and pendulums: a particle filter that reads tokens.

Observations are real numbers, so their tokens are bins, and the floor is a property of the bins.
There is no closed law given the tokens so far. The predictor keeps a cloud of states that agree
with them, moves each by the task's own equations, and predicts the mix of what they would show
(Gordon, Salmond and Smith, "Novel approach to nonlinear/non-Gaussian Bayesian state estimation",
1993, with their roughening). It sees the tokens alone, so its loss is an upper bound of the floor.
It is no lower bound: a model that tracks the state better than the cloud does goes below it. The
lower bound is 0: without noise, and without bins, two observations give the state.

The bins are those of `popjax.bins`, in which language models predict and, unless asked for reals,
read.
"""

from __future__ import annotations

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.scipy.special import ndtr
from jaxtyping import Array, Float, Key

from popjax.bins import NUM_BINS, Bins
from popjax.envs import cartpole, pendulum
from popjax.floors.base import Law
from popjax.spaces import Discrete

BOUND = f"particle filter on {NUM_BINS} bins a component"
ROUGHENING = 0.2  # times the cloud's extent and its size to the power -1 / dimensions
DOUBT = 1e-3  # the share of the uniform law in the mix
LEAST_SHAKE = {2: (0.01, 0.05), 4: (3e-4, 3e-3, 1.5e-4, 3e-3)}  # less, and it loses the track
BLUR = 0.1  # of a bin: how sharply the filter looks where the task adds no noise


class Cloud(struct.PyTreeNode):
    """states: `[N, d]` hidden states, all as likely. key: of the next resampling."""

    states: Float[Array, "N d"]
    key: Key[Array, ""]


@dataclass(frozen=True)
class FilterLaw(Law):
    """The token is that of all components together, the first one leading."""

    num_bins: int = NUM_BINS
    num_particles: int = 512
    exact = False

    @property
    def num_tokens(self):
        return self._joint.num_values

    @property
    def _bins(self) -> Bins:
        return Bins(self.env, self.num_bins)

    @property
    def _joint(self) -> Discrete:
        return Discrete((self.num_bins,) * self._bins.num_components)

    def start(self, keys: Key[Array, " N"]) -> Float[Array, "N d"]:
        """Hidden states as an episode may begin in."""
        raise NotImplementedError

    def move(self, state: Float[Array, " d"], action: Array) -> Float[Array, " d"]:
        """The hidden state after an action."""
        raise NotImplementedError

    def show(self, state: Float[Array, " d"], first: bool = False) -> Float[Array, "2"]:
        """What is seen of a hidden state, but for the noise."""
        raise NotImplementedError

    def apart(self, states: Float[Array, "N d"]) -> Float[Array, "N d"]:
        """How far each hidden state is from the first."""
        return states - states[:1]

    def begin(self, obs):
        key_states, key_resample, key_next = jax.random.split(jax.random.key(0), 3)
        states = self.start(jax.random.split(key_states, self.num_particles))
        chances = self._chances(states, first=True)
        bins = self._bins.index(obs, first=True)
        return Cloud(self._resample(key_resample, states, chances, bins), key_next)

    def log_probs(self, belief, action):
        chances = self._answers(belief, action)[1]
        if self._bins.num_components == 2:
            mix = jnp.einsum("na,nb->ab", chances[:, 0], chances[:, 1]).reshape(-1)
        else:
            mix = jnp.sum(chances[:, 0], axis=0)
        mix = mix / self.num_particles
        return jnp.log((1 - DOUBT) * mix + DOUBT / self.num_tokens)

    def token(self, action, timestep):
        return self._joint.to_number(self._bins.index(timestep.obs))

    def update(self, belief, action, token):
        states, chances = self._answers(belief, action)
        key_resample, key_next = jax.random.split(belief.key)
        bins = self._joint.from_number(token)
        states = self._resample(key_resample, states, chances, bins)
        return Cloud(states, key_next)

    def _answers(self, belief, action):
        states = jax.vmap(lambda state: self.move(state, action))(belief.states)
        return states, self._chances(states)

    def _chances(
        self, states: Float[Array, "N d"], first: bool = False
    ) -> Float[Array, "N c bins"]:
        """Of each bin to be what a state shows, blurred. What is beyond the scale falls in its
        ends; on the circle it comes back on the other side."""
        shown = jax.vmap(lambda state: self.show(state, first))(states)
        scaled = self._bins.scaled(shown, first)
        edges = np.linspace(-1, 1, self.num_bins + 1, dtype=np.float32)
        sigma = jnp.float32(BLUR * 2 / self.num_bins)
        if self.env.sigma:
            sigma = self.env.sigma * self._bins.scaled(jnp.ones(2, jnp.float32), first)
        if self._bins.num_components == 2:
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
        apart = self.apart(states)
        extent = jnp.max(apart, axis=0) - jnp.min(apart, axis=0)
        scale = ROUGHENING * extent * self.num_particles ** (-1 / states.shape[1])
        scale = jnp.maximum(scale, jnp.array(LEAST_SHAKE[states.shape[1]], states.dtype))
        return states + scale * jax.random.normal(key_shake, states.shape, states.dtype)


class PoleLaw(FilterLaw):
    """Hidden are place, velocity, angle and angular velocity."""

    def start(self, keys):
        state = jax.vmap(cartpole.begin)(keys)
        return jnp.stack([state.x, state.x_dot, state.angle, state.angle_dot], axis=1)

    def move(self, state, action):
        after = cartpole.push(cartpole.State(*state, time=0), action)
        return jnp.stack([after.x, after.x_dot, after.angle, after.angle_dot])

    def show(self, state, first=False):
        return state[np.array({"positions": [0, 2], "velocities": [1, 3]}[self.env.shows(first)])]


class PendulumLaw(FilterLaw):
    """Hidden are angle and speed."""

    def start(self, keys):
        state = jax.vmap(pendulum.begin)(keys)
        return jnp.stack([state.angle, state.speed], axis=1)

    def move(self, state, action):
        after = pendulum.swing(pendulum.State(*state, time=0), action[0])
        return jnp.stack([after.angle, after.speed])

    def show(self, state, first=False):
        return jnp.stack([jnp.cos(state[0]), jnp.sin(state[0])])

    def apart(self, states):
        difference = super().apart(states)
        return difference.at[:, 0].set(pendulum.wrap(difference[:, 0]))


def law(env, **sizes: int) -> FilterLaw:
    """The filter of a pole or a pendulum, whose numbers of bins and states can be given."""
    pole = env.shows() in ("positions", "velocities")
    return (PoleLaw if pole else PendulumLaw)(env, **sizes)
