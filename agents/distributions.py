"""From a network's raw outputs to a distribution over actions. The one file that knows distrax."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Key

from popjax.spaces import Box, Discrete

if TYPE_CHECKING:
    import distrax

LOG_STD_RANGE = (-5.0, 2.0)
NODES = np.linspace(-6, 6, 65)  # of the trapezoid rule over a standard normal
WEIGHTS = np.exp(-(NODES**2) / 2) / np.exp(-(NODES**2) / 2).sum()
MEAN_BOUND = 5.0  # of a squashed Gaussian: tanh(5) = 0.9999
EDGE = 1 - 1e-6  # squashed actions count as if no nearer than this to the bounds


def num_outputs(space: Discrete | Box, joint: bool = False) -> int:
    """Raw outputs a policy needs: all logits side by side, or means and log deviations.

    joint: of several integers, one logit for each of their combinations.
    """
    if isinstance(space, Box):
        return 2 * space.flat_size
    return math.prod(space.sizes) if joint else space.flat_size


def distribution(
    space: Discrete | Box, outputs: Float[Array, "*batch n"], squash: bool = False
) -> distrax.Distribution | Joint | Squashed:
    """The distribution over `space` with those raw outputs.

    One integer: a categorical. Several: independent categoricals, or one categorical of all
    combinations where there are as many outputs as those. Reals: a diagonal Gaussian,
    whose samples the environment clips to the box (probabilities are those before the clipping),
    or with `squash` one that tanh brings into the box, which must be finite; its mean is bounded
    softly (`MEAN_BOUND`), else the actions would not identify one far outside, whose probabilities
    would then overflow.
    """
    import distrax  # takes a third as long as all other imports; what was compiled needs it not

    if isinstance(space, Box):
        mean, log_std = jnp.split(outputs, 2, axis=-1)
        mean = MEAN_BOUND * jnp.tanh(mean / MEAN_BOUND) if squash else mean
        gauss = distrax.MultivariateNormalDiag(mean, jnp.exp(jnp.clip(log_std, *LOG_STD_RANGE)))
        return Squashed(gauss, space) if squash else gauss
    if not space.shape:
        return distrax.Categorical(logits=outputs)
    if outputs.shape[-1] != space.flat_size:
        return Joint(distrax.Categorical(logits=outputs), space)
    logits, at = [], 0
    for size in space.sizes:
        part = outputs[..., at : at + size]
        padding = [(0, 0)] * (part.ndim - 1) + [(0, max(space.sizes) - size)]
        logits.append(jnp.pad(part, padding, constant_values=-1e9))
        at += size
    return distrax.Independent(
        distrax.Categorical(logits=jnp.stack(logits, axis=-2)), reinterpreted_batch_ndims=1
    )


@dataclass(frozen=True)
class Joint:
    """Several integers, which need not be independent: a categorical over their combinations, of
    which the last integer changes fastest."""

    combination: distrax.Categorical
    space: Discrete

    @property
    def strides(self) -> np.ndarray:
        return np.cumprod((1, *self.space.sizes[:0:-1]))[::-1]

    def integers(self, combination: Array) -> Array:
        parts = combination[..., None] // self.strides % np.array(self.space.sizes)
        return parts.astype(self.space.dtype)

    def sample(self, seed: Key[Array, ""], sample_shape: tuple[int, ...] = ()) -> Array:
        """An action `[..., n]`; the key is consumed."""
        return self.integers(self.combination.sample(seed=seed, sample_shape=sample_shape))

    def mode(self) -> Array:
        """The likeliest combination."""
        return self.integers(self.combination.mode())

    def log_prob(self, action: Array) -> Array:
        """Of actions `[..., n]`."""
        return self.combination.log_prob(jnp.sum(action * self.strides, axis=-1))

    def entropy(self) -> Array:
        """Of the combinations, in nats."""
        return self.combination.entropy()

    def kl_divergence(self, other: Joint) -> Array:
        """KL(self || other) in nats."""
        return self.combination.kl_divergence(other.combination)


@dataclass(frozen=True)
class Squashed:
    """`middle + half * tanh(u)` with u from a diagonal Gaussian (Haarnoja et al. 2018, arXiv
    1801.01290, appendix C), the box being `middle +- half`."""

    gauss: distrax.MultivariateNormalDiag
    box: Box

    def __post_init__(self):
        if not all(map(math.isfinite, self.box.low + self.box.high)):
            raise ValueError(f"nothing can be squashed into {self.box}: it is not finite")

    @property
    def half(self) -> np.ndarray:
        return (np.float32(self.box.high) - np.float32(self.box.low)) / 2

    @property
    def middle(self) -> np.ndarray:
        return (np.float32(self.box.high) + np.float32(self.box.low)) / 2

    def sample(self, seed: Key[Array, ""], sample_shape: tuple[int, ...] = ()) -> Array:
        """An action; the key is consumed."""
        u = self.gauss.sample(seed=seed, sample_shape=sample_shape)
        return self.middle + self.half * jnp.tanh(u)

    def mode(self) -> Array:
        """Where the Gaussian's mean goes. (The density may be higher at a bound.)"""
        return self.middle + self.half * jnp.tanh(self.gauss.mean())

    def log_prob(self, action: Array) -> Array:
        """The density at an action, by the change of variables."""
        u = jnp.arctanh(jnp.clip((action - self.middle) / self.half, -EDGE, EDGE))
        return self.gauss.log_prob(u) - jnp.sum(log_slope(u) + jnp.log(self.half), axis=-1)

    def entropy(self) -> Array:
        """The Gaussian's plus the mean log slope, `H(u) + E[log |da/du|]`; the mean by the
        trapezoid rule, to about 0.001 nats at the widest deviation."""
        u = self.gauss.mean()[..., None] + self.gauss.stddev()[..., None] * NODES
        slope = jnp.sum(WEIGHTS * log_slope(u), axis=-1) + jnp.log(self.half)
        return self.gauss.entropy() + jnp.sum(slope, axis=-1)

    def kl_divergence(self, other: Squashed) -> Array:
        """Of the two Gaussians: one map for both does not change it."""
        return self.gauss.kl_divergence(other.gauss)


def shares(
    space: Box, outputs: Float[Array, "*batch 2"], edges: Float[np.ndarray, " k"], squash: bool
) -> Float[Array, "*batch k+1"]:
    """How likely the one real that is taken lies below the first of the rising edges, between each
    two, and above the last; edges lie within the box.

    >>> shares(Box((-2.0,), (2.0,)), jnp.array([38.0, 0.0]), np.zeros(1), squash=False).tolist()
    [0.0, 1.0]
    """
    law = distribution(space, outputs, squash)
    gauss = law.gauss if squash else law
    edges = np.arctanh((edges - law.middle) / law.half) if squash else edges
    below = jax.scipy.stats.norm.cdf((edges - gauss.mean()) / gauss.stddev())
    ends = [(0, 0)] * (below.ndim - 1)
    below = jnp.pad(below, [*ends, (1, 0)])
    return jnp.diff(jnp.pad(below, [*ends, (0, 1)], constant_values=1.0))


def log_slope(u: Array) -> Array:
    """`log(1 - tanh(u)^2)`, exact for large u."""
    return 2 * (math.log(2) - u - jax.nn.softplus(-2 * u))


def divergence(
    space: Discrete | Box, old: Array, new: Array, squash: bool = False
) -> Float[Array, "*batch"]:
    """KL(old || new) in nats between the distributions with those raw outputs."""
    old, new = (distribution(space, outputs, squash) for outputs in (old, new))
    return old.kl_divergence(new)


def likeliest(space: Discrete | Box, outputs: Array, squash: bool = False) -> Any:
    """The action of the greedy policy."""
    return distribution(space, outputs, squash).mode()


def choose(
    key: Key[Array, ""],
    space: Discrete | Box,
    outputs: Array,
    greedy: Bool[Array, ""] | bool = False,
    squash: bool = False,
) -> tuple[Array, Array]:
    """The action `[..., *space.shape]` of a policy that acts, as the environment takes it: a sample
    or the likeliest, and of reals the nearest in the box; and the sample itself, whose probability
    `distribution` knows. The key is consumed.

    >>> far = jnp.array([[38.0, 0.0]])  # a torque of mean 38, deviation 1
    >>> choose(jax.random.key(0), Box((-2.0,), (2.0,)), far)[0].tolist()
    [[2.0]]
    """
    sample = distribution(space, outputs, squash).sample(seed=key)
    chosen = jnp.where(greedy, likeliest(space, outputs, squash), sample)
    return space.nearest(chosen), sample
