"""Players of the two Pendulum families."""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.scipy.stats import norm
from jaxtyping import Array, Bool, Float

from popjax.envs.pendulum import (
    GRAVITY,
    LENGTH,
    MAX_SPEED,
    MAX_TORQUE,
    START_SPEED,
    Pendulum,
    State,
    cost,
    swing,
    wrap,
)
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player

ANGLES, SPEEDS, TORQUES, SWEEPS = 150, 101, 9, 150  # of value iteration
CHOICES = np.linspace(-MAX_TORQUE, MAX_TORQUE, 33, dtype=np.float32)
GROWTH = math.sqrt(3 * GRAVITY / (2 * LENGTH))  # how fast a fall from upright grows, a second
JITTER = 0.3  # of a filtered estimate in one step, as a share of the noise; by theory 0.39
LEAST_NOISE = 1e-3  # what is seen clearly is taken to be this uncertain
DRIFT = np.diag([1e-5, 1e-4]).astype(np.float32)  # variance a step by which the filter may be off


def memoryless(env: Pendulum) -> Player:
    """A torque that is a function of the angle; the best of its form in a search."""
    weights = jnp.array([0.0, -0.14, -4.4, 1.0, -9.4])

    def rule(obs):
        cos, sin = obs
        terms = jnp.stack([1.0, cos, sin, cos * sin, sin * jnp.abs(sin)])
        return jnp.clip(terms @ weights, -MAX_TORQUE, MAX_TORQUE)[None]

    return memoryless_player("five-term rule", "bound", rule)


def at(values: Float[Array, "angles speeds"], state: State) -> Float[Array, "..."]:
    """A table read between its entries (bilinear; angles go round)."""
    column = (state.angle + math.pi) * (ANGLES / (2 * math.pi))
    row = (state.speed + MAX_SPEED) * ((SPEEDS - 1) / (2 * MAX_SPEED))
    left = jnp.floor(column)
    low = jnp.clip(jnp.floor(row), 0, SPEEDS - 2)
    i, j = left.astype(jnp.int32) % ANGLES, low.astype(jnp.int32)
    right, up = column - left, row - low
    here = (1 - up) * values[i, j] + up * values[i, j + 1]
    i = (i + 1) % ANGLES
    there = (1 - up) * values[i, j] + up * values[i, j + 1]
    return (1 - right) * here + right * there


@functools.cache
def cost_to_go(sigma: float) -> np.ndarray:
    """`[ANGLES, SPEEDS]`: the least cost from each state on, by value iteration.

    What is controlled is the filter's estimate, and at each step the observation moves it by
    chance, mostly the way that the pendulum falls. The table allows for that: near the top it
    keeps a distance to angles which the motor could not bring back.
    """
    angle = jnp.linspace(-math.pi, math.pi, ANGLES, endpoint=False)
    speed = jnp.linspace(-MAX_SPEED, MAX_SPEED, SPEEDS)
    states = State(*jnp.meshgrid(angle, speed, indexing="ij"), time=0)
    moves, chances = np.polynomial.hermite_e.hermegauss(5)
    chances = chances / chances.sum()

    def by_chance(values):
        moved = [
            State(
                angle=wrap(states.angle + JITTER * sigma * move),
                speed=jnp.clip(
                    states.speed + GROWTH * JITTER * sigma * move, -MAX_SPEED, MAX_SPEED
                ),
                time=0,
            )
            for move in moves
        ]
        return sum(chance * at(values, state) for chance, state in zip(chances, moved, strict=True))

    def sweep(values, _):
        def with_torque(torque):
            return cost(states, torque) + at(values, swing(states, torque))

        best = jax.lax.map(with_torque, jnp.linspace(-MAX_TORQUE, MAX_TORQUE, TORQUES)).min(axis=0)
        return by_chance(best - best.min()), None

    nothing = jnp.zeros((ANGLES, SPEEDS))
    return np.asarray(jax.jit(lambda: jax.lax.scan(sweep, nothing, None, length=SWEEPS)[0])())


def steer(values: Float[Array, "angles speeds"], state: State) -> Float[Array, "1"]:
    """`[1]`: the torque after which the least cost is to be expected."""
    costs = cost(state, CHOICES) + at(values, swing(state, jnp.asarray(CHOICES)))
    return jnp.asarray(CHOICES)[jnp.argmin(costs)][None]


def full_state(env: Pendulum) -> Player:
    """Steers the true state."""
    values = jnp.asarray(cost_to_go(0.0))

    def act(key, memory, obs, state):
        return memory, steer(values, state)

    return Player("value iteration on the true state", "privileged", "bound", lambda: (), act)


class Guess(struct.PyTreeNode):
    """A normal law of angle and speed. mean: `[2]`. covariance: `[2, 2]`. begun: `[]` whether
    anything was seen yet."""

    mean: Float[Array, "2"]
    covariance: Float[Array, "2 2"]
    begun: Bool[Array, ""]

    @property
    def state(self) -> State:
        return State(
            angle=wrap(self.mean[0]),
            speed=jnp.clip(self.mean[1], -MAX_SPEED, MAX_SPEED),
            time=jnp.int32(0),
        )


def seen(guess: Guess, obs: Float[Array, ""], sigma: float, quarter: float) -> Guess:
    """The guess after one number was seen: cos(angle - quarter) with noise, clipped to +-1.

    The moments of the cosine of a normal angle are exact, and so are those of a normal number
    that is known to lie beyond a bound.
    """
    angle, variance = guess.mean[0] - quarter, guess.covariance[0, 0]
    expected = jnp.exp(-variance / 2) * jnp.cos(angle)
    slope = -jnp.exp(-variance / 2) * jnp.sin(angle)
    spread = (1 - jnp.exp(-variance)) * (1 - jnp.exp(-variance) * jnp.cos(2 * angle)) / 2
    deviation = jnp.sqrt(spread + sigma**2)
    clipped, side = jnp.abs(obs) >= 1, jnp.sign(obs)
    bound = (1 - side * expected) / deviation
    beyond = jnp.exp(norm.logpdf(bound) - norm.logsf(bound))  # the mean of a normal number there
    shift = jnp.where(clipped, side * beyond, (obs - expected) / deviation)
    shrink = jnp.where(clipped, beyond * (beyond - bound), 1.0)
    gain = guess.covariance[:, 0] * slope / deviation
    return guess.replace(
        mean=guess.mean + gain * shift,
        covariance=guess.covariance - jnp.outer(gain, gain) * shrink,
    )


def swung(guess: Guess, torque: Float[Array, "1"]) -> Guess:
    """The guess one step later."""

    def motion(mean):
        state = swing(guess.replace(mean=mean).state, torque[0])
        return jnp.stack([state.angle, state.speed])

    slopes = jax.jacfwd(motion)(guess.mean)
    covariance = slopes @ guess.covariance @ slopes.T + DRIFT
    return guess.replace(mean=motion(guess.mean), covariance=covariance)


def reference(env: Pendulum) -> Player:
    """Guesses angle and speed with a Kalman filter and steers the guess by value iteration."""
    noise = max(env.sigma, LEAST_NOISE)
    values = jnp.asarray(cost_to_go(env.sigma))

    def begin():
        guess = Guess(mean=jnp.zeros(2), covariance=jnp.eye(2), begun=jnp.asarray(False))
        return guess, jnp.zeros(1)

    def act(key, memory, obs, state):
        guess, last = memory
        now = swung(guess, last)
        first = Guess(
            mean=jnp.stack([jnp.arctan2(obs[1], obs[0]), 0.0]),
            covariance=jnp.diag(jnp.array([noise**2, START_SPEED**2 / 3])),
            begun=jnp.asarray(True),
        )
        later = seen(seen(now, obs[0], noise, 0.0), obs[1], noise, math.pi / 2)
        guess = jax.tree.map(lambda a, b: jnp.where(guess.begun, a, b), later, first)
        torque = steer(values, guess.state)
        return (guess, torque), torque

    return Player("Kalman filter and value iteration", "history", "bound", begin, act)


def follow(before, after, action):
    """What the reference player remembers once `action` was done, its own choice or not."""
    estimate, _ = after
    return estimate, action
