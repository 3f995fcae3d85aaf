"""Real numbers as tokens: equal bins on a scale of its own for each component.

Positions have a range, which is cut in equal shares. Velocities have none: they are put on a scale
by the mu-law, `sign(v) ln(1 + mu |v|) / ln(1 + mu M)` with mu = 100 and M = 256, as Reed et al. do
("A Generalist Agent", 2022, 2.1). A pendulum seen without noise shows one angle, on a circle; with
noise, cosine and sine are two numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from popjax.core import Environment
from popjax.envs import cartpole

NUM_BINS = 64
MU, MOST = 100.0, 256.0
LIMITS = np.array([2 * cartpole.X_LIMIT, 2 * cartpole.ANGLE_LIMIT], np.float32)


@dataclass(frozen=True)
class Bins:
    """The observations of a pole or a pendulum as `num_components` integers below `num_bins`.

    `first` says where an observation is the first one of an episode: `VelocityOnlyCartPole` then
    shows positions. It has the shape of the leading axes, or is one bool for all.
    """

    env: Environment
    num_bins: int = NUM_BINS

    @property
    def num_components(self) -> int:
        return 1 if self.env.shows() == "angle" else 2

    def index(
        self, obs: Float[Array, "... 2"], first: Bool[Array, "..."] | bool = False
    ) -> Int[Array, "... c"]:
        """The bins of an observation; what is beyond the scale falls in its ends.

        >>> import popjax
        >>> Bins(popjax.make("PositionOnlyCartPoleEasy")).index(jnp.array([0.1, -9.0])).tolist()
        [32, 0]
        """
        bins = jnp.floor((self.scaled(obs, first) + 1) / 2 * self.num_bins).astype(jnp.int32)
        return jnp.clip(bins, 0, self.num_bins - 1)

    def centre(
        self, index: Int[Array, "... c"], first: Bool[Array, "..."] | bool = False
    ) -> Float[Array, "... 2"]:
        """The observation in the middle of the bins: `index` of it is `index`."""
        return self.unscaled((2 * index + 1) / jnp.float32(self.num_bins) - 1, first)

    def log_widths(
        self, index: Int[Array, "... c"], first: Bool[Array, "..."] | bool = False
    ) -> Float[Array, "... c"]:
        """The logarithm of the width of each bin, in the units of what was binned.

        Less these, the nats of bins are those of a density, whatever the number of bins:
        `-ln density = -ln probability of the bin + ln width`.
        """
        if self.num_components == 1:
            return jnp.full(index.shape, math.log(2 * math.pi / self.num_bins), jnp.float32)
        low, high = (
            self.unscaled(2 * edge / jnp.float32(self.num_bins) - 1, first)
            for edge in (index, index + 1)
        )
        return jnp.log(high - low)

    def scaled(self, obs, first=False) -> Float[Array, "... c"]:
        """Each component on a scale from -1 to 1."""
        if self.num_components == 1:
            return jnp.arctan2(obs[..., 1:], obs[..., :1]) / math.pi
        if self.env.shows() == "direction":
            return obs
        rates = jnp.sign(obs) * jnp.log1p(MU * jnp.abs(obs)) / math.log1p(MU * MOST)
        return jnp.where(self._rates(first), rates, obs / LIMITS)

    def unscaled(self, scaled: Float[Array, "... c"], first=False) -> Float[Array, "... 2"]:
        """The observation at that place of the scale."""
        if self.num_components == 1:
            angle = math.pi * scaled
            return jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=-1)
        if self.env.shows() == "direction":
            return scaled
        rates = jnp.sign(scaled) * jnp.expm1(jnp.abs(scaled) * math.log1p(MU * MOST)) / MU
        return jnp.where(self._rates(first), rates, scaled * LIMITS)

    def _rates(self, first) -> Bool[Array, "... 1"]:
        later, at_first = (self.env.shows(first) == "velocities" for first in (False, True))
        return jnp.where(jnp.asarray(first)[..., None], at_first, later)
