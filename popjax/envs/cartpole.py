"""CartPole with part of its state hidden: three families.

A pole stands on a cart, and the cart is pushed left or right at every step. Equations of Barto,
Sutton and Anderson, "Neuronlike adaptive elements that can solve difficult learning control
problems" (1983), without friction and with the sign of the normal force put right by Florian,
"Correct equations for the dynamics of the cart-pole system" (2007); forward Euler, 50 Hz.

Every step earns 1 / T, the one that drops the pole too, so a pole that stands for all T steps
earns 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Bool, Float, Int, Key

from popjax import fields
from popjax.core import Environment, first, then
from popjax.noise import MOST_NOISE, blur
from popjax.spaces import Box, Discrete

GRAVITY = 9.8
CART_MASS = 1.0
POLE_MASS = 0.1
TOTAL_MASS = CART_MASS + POLE_MASS
HALF_LENGTH = 0.5  # from the hinge to the pole's centre of mass
FORCE = 10.0
SECONDS_A_STEP = 0.02
X_LIMIT = 2.4
ANGLE_LIMIT = math.radians(12)
START = 0.05  # every coordinate begins within +- this


class State(struct.PyTreeNode):
    """x: `[]` the cart's place. angle: `[]` of the pole, 0 upright, positive to the right.
    x_dot, angle_dot: `[]` their rates a second. time: `[]` steps taken."""

    x: Float[Array, ""]
    x_dot: Float[Array, ""]
    angle: Float[Array, ""]
    angle_dot: Float[Array, ""]
    time: Int[Array, ""]


def begin(key: Key[Array, ""]) -> State:
    """A pole nearly upright and nearly at rest. The key is consumed."""
    start = jax.random.uniform(key, (4,), jnp.float32, -START, START)
    return State(*start, time=jnp.int32(0))


def fallen(state: State) -> Bool[Array, ""]:
    """The cart has left the track or the pole leans too far."""
    return (jnp.abs(state.x) > X_LIMIT) | (jnp.abs(state.angle) > ANGLE_LIMIT)


def push(state: State, action: Int[Array, ""]) -> State:
    """One step of time under a push to the left (0) or to the right (1)."""
    sin, cos = jnp.sin(state.angle), jnp.cos(state.angle)
    force = jnp.where(action == 1, FORCE, -FORCE)
    moment = POLE_MASS * HALF_LENGTH
    free = (force + moment * state.angle_dot**2 * sin) / TOTAL_MASS  # before the pole pushes back
    angle_acceleration = (GRAVITY * sin - cos * free) / (
        HALF_LENGTH * (4 / 3 - POLE_MASS * cos**2 / TOTAL_MASS)
    )
    acceleration = free - moment * angle_acceleration * cos / TOTAL_MASS
    return State(
        x=state.x + SECONDS_A_STEP * state.x_dot,
        x_dot=state.x_dot + SECONDS_A_STEP * acceleration,
        angle=state.angle + SECONDS_A_STEP * state.angle_dot,
        angle_dot=state.angle_dot + SECONDS_A_STEP * angle_acceleration,
        time=state.time + 1,
    )


def positions(state: State) -> Float[Array, "2"]:
    """`[2]`: the cart's place and the pole's angle."""
    return jnp.stack([state.x, state.angle])


def velocities(state: State) -> Float[Array, "2"]:
    """`[2]`: the cart's velocity and the pole's angular velocity."""
    return jnp.stack([state.x_dot, state.angle_dot])


@dataclass(frozen=True)
class CartPole(Environment):
    """What the three families have in common: all but what is seen. Seen are the positions,
    unless a family says otherwise.

    sigma: deviation of the noise on what is seen.
    """

    max_steps: int = 200
    return_bounds = (0.0, 1.0)
    sigma = 0.0

    def __post_init__(self):
        fields.whole(self, "max_steps", 1, fields.MOST_STEPS)

    @property
    def observation_space(self) -> Box:
        high = (2 * X_LIMIT, 2 * ANGLE_LIMIT)
        return Box(tuple(-bound for bound in high), high)

    @property
    def action_space(self) -> Discrete:
        return Discrete(2)

    def shows(self, first: bool = False) -> Literal["positions", "velocities"]:
        """What an observation holds, the first of an episode or a later one."""
        return "positions"

    def observe(self, key: Key[Array, ""], state: State) -> Float[Array, "2"]:
        """`[2]`, what is seen of a state. The key is consumed."""
        return positions(state)

    def reset(self, key):
        state = begin(key)
        return state, first(positions(state))

    def transition(self, key, state, action):
        lies = fallen(state)
        pushed = push(state, action)
        state = jax.tree.map(lambda old, new: jnp.where(lies, old, new), state, pushed)
        return state, then(
            self.observe(key, state),
            1 / self.max_steps,
            terminated=fallen(state),
            truncated=state.time >= self.max_steps,
        )

    def markov_state(self, state):
        """`[4]`: place, velocity, angle, angular velocity."""
        return jnp.stack([state.x, state.x_dot, state.angle, state.angle_dot])


@dataclass(frozen=True)
class PositionOnlyCartPole(CartPole):
    """Balance a pole whose velocities are hidden.

    Observation: `[2]` float, the cart's place and the pole's angle in radians.
    Action: `[]` int, push to the left (0) or to the right (1).
    Reward: 1 / T at every step.
    End: terminated when the cart leaves +-2.4 or the pole +-12 degrees; truncated after T steps.
    Differs from the reference in: nothing but float32 where it computes in float64.
    Fields: max_steps T from 1 to 1,000,000.
    """


@dataclass(frozen=True)
class VelocityOnlyCartPole(CartPole):
    """Balance a pole whose place and angle are hidden.

    Observation: `[2]` float, the cart's velocity and the pole's angular velocity. The first one
        of an episode holds place and angle instead, an oversight of the reference that
        `reference_quirks=False` repairs.
    Action, reward, end: as in PositionOnlyCartPole.
    Differs from the reference in: nothing but float32 where it computes in float64.
    """

    reference_quirks: bool = True

    def __post_init__(self):
        super().__post_init__()
        fields.flag(self, "reference_quirks")

    @property
    def observation_space(self) -> Box:
        return Box((-math.inf, -math.inf), (math.inf, math.inf))

    def shows(self, first=False):
        return "positions" if first and self.reference_quirks else "velocities"

    def observe(self, key, state):
        return velocities(state)

    def reset(self, key):
        state = begin(key)
        return state, first((positions if self.reference_quirks else velocities)(state))


@dataclass(frozen=True)
class NoisyPositionOnlyCartPole(CartPole):
    """Balance a pole whose velocities are hidden and whose place and angle are seen blurred.

    Observation: `[2]` float, the cart's place and the pole's angle, each with normal noise of
        standard deviation sigma, then clipped to the bounds of the observation space.
    Action, reward, end: as in PositionOnlyCartPole.
    Differs from the reference in: nothing but float32 where it computes in float64.
    Fields: max_steps T from 1 to 1,000,000; sigma from 0 to 10.
    """

    sigma: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        fields.real(self, "sigma", 0, MOST_NOISE)

    def reset(self, key):
        key_state, key_obs = jax.random.split(key)
        state = begin(key_state)
        return state, first(self.observe(key_obs, state))

    def observe(self, key, state):
        return blur(key, positions(state), self.sigma, self.observation_space)


POSITION_ONLY = {
    "Easy": PositionOnlyCartPole(max_steps=200),
    "Medium": PositionOnlyCartPole(max_steps=400),
    "Hard": PositionOnlyCartPole(max_steps=600),
}
VELOCITY_ONLY = {
    "Easy": VelocityOnlyCartPole(max_steps=200),
    "Medium": VelocityOnlyCartPole(max_steps=400),
    "Hard": VelocityOnlyCartPole(max_steps=600),
}
NOISY_POSITION_ONLY = {
    "Easy": NoisyPositionOnlyCartPole(sigma=0.1),
    "Medium": NoisyPositionOnlyCartPole(sigma=0.2),
    "Hard": NoisyPositionOnlyCartPole(sigma=0.3),
}
