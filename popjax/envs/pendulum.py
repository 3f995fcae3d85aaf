"""Pendulum swing-up with the velocity hidden: two families.

A rod hangs from a motor that is too weak to lift it in one go. Equation of a uniform rod of mass m
and length l under torque u, angle 0 upright:

    angle'' = 3 g / (2 l) sin(angle) + 3 / (m l^2) u

by semi-implicit Euler at 20 Hz, the speed held within +-8; the cost of a step is angle^2 +
angle'^2 / 10 + u^2 / 1000 of the state before it, as in the Pendulum task of OpenAI Gym.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import jax
import jax.numpy as jnp
from flax import struct
from jaxtyping import Array, Float, Int, Key

from popjax import fields
from popjax.core import Environment, first, then
from popjax.noise import MOST_NOISE, blur
from popjax.spaces import Box

GRAVITY = 10.0
MASS = 1.0
LENGTH = 1.0
MAX_SPEED = 8.0
MAX_TORQUE = 2.0
SECONDS_A_STEP = 0.05
START_SPEED = 1.0  # the angle begins anywhere, the speed within +- this
WORST_COST = 16.2736044


class State(struct.PyTreeNode):
    """angle: `[]` radians in [-pi, pi), 0 upright. speed: `[]` radians a second.
    time: `[]` steps taken."""

    angle: Float[Array, ""]
    speed: Float[Array, ""]
    time: Int[Array, ""]


def begin(key: Key[Array, ""]) -> State:
    """Any angle, nearly at rest. The key is consumed."""
    start = jax.random.uniform(key, (2,), jnp.float32, -1.0, 1.0)
    return State(angle=math.pi * start[0], speed=START_SPEED * start[1], time=jnp.int32(0))


def wrap(angle: Float[Array, "..."]) -> Float[Array, "..."]:
    """The same direction within [-pi, pi), for an angle less than a turn outside."""
    turns = (angle < -math.pi).astype(jnp.float32) - (angle >= math.pi).astype(jnp.float32)
    return angle + 2 * math.pi * turns


def swing(state: State, torque: Float[Array, ""]) -> State:
    """One step of time under a torque."""
    acceleration = (
        3 * GRAVITY / (2 * LENGTH) * jnp.sin(state.angle) + 3 / (MASS * LENGTH**2) * torque
    )
    speed = state.speed + SECONDS_A_STEP * acceleration
    speed = jnp.clip(speed, -MAX_SPEED, MAX_SPEED)
    return State(angle=wrap(state.angle + SECONDS_A_STEP * speed), speed=speed, time=state.time + 1)


def cost(state: State, torque: Float[Array, ""]) -> Float[Array, ""]:
    """Of one step, from 0 to 16.27."""
    return state.angle**2 + 0.1 * state.speed**2 + 0.001 * torque**2


def direction(state: State) -> Float[Array, "2"]:
    """`[2]`: cosine and sine of the angle."""
    return jnp.stack([jnp.cos(state.angle), jnp.sin(state.angle)])


@dataclass(frozen=True)
class Pendulum(Environment):
    """What the two families have in common: all but noise.

    sigma: deviation of the noise on what is seen.
    """

    max_steps: int = 200
    sigma = 0.0

    def __post_init__(self):
        fields.whole(self, "max_steps", 1, fields.MOST_STEPS)

    @property
    def observation_space(self) -> Box:
        return Box((-1.0, -1.0), (1.0, 1.0))

    @property
    def action_space(self) -> Box:
        return Box((-MAX_TORQUE,), (MAX_TORQUE,))

    def shows(self, first: bool = False) -> Literal["angle", "direction"]:
        """What an observation holds: an angle, where cosine and sine lie on the circle, or two
        numbers."""
        return "angle"

    def observe(self, key: Key[Array, ""], state: State) -> Float[Array, "2"]:
        """`[2]`, what is seen of a state. The key is consumed."""
        return direction(state)

    def reset(self, key):
        state = begin(key)
        return state, first(direction(state))

    def transition(self, key, state, action):
        reward = (1 - 2 * cost(state, action[0]) / WORST_COST) / self.max_steps
        state = swing(state, action[0])
        return state, then(self.observe(key, state), reward, truncated=state.time >= self.max_steps)

    def markov_state(self, state):
        """`[3]`: cosine and sine of the angle, and the speed."""
        return jnp.append(direction(state), state.speed)


@dataclass(frozen=True)
class PositionOnlyPendulum(Pendulum):
    """Swing a rod up and hold it there, without seeing its speed.

    Observation: `[2]` float, cosine and sine of the angle, which is 0 upright.
    Action: `[1]` float, a torque within +-2.
    Reward: 1 / T upright and at rest, down to -1 / T hanging at full speed, linear in the cost of
        the state acted in.
    End: truncated after T steps.
    Differs from the reference in: nothing but float32 where it computes in float64.
    Fields: max_steps T from 1 to 1,000,000.
    """


@dataclass(frozen=True)
class NoisyPositionOnlyPendulum(Pendulum):
    """Swing a rod up and hold it there, seeing its angle blurred and not its speed.

    Observation: `[2]` float, cosine and sine of the angle, each with normal noise of standard
        deviation sigma, then clipped to +-1.
    Action, reward, end: as in PositionOnlyPendulum.
    Differs from the reference in: nothing but float32 where it computes in float64.
    Fields: max_steps T from 1 to 1,000,000; sigma from 0 to 10.
    """

    sigma: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        fields.real(self, "sigma", 0, MOST_NOISE)

    def shows(self, first=False):
        return "direction"

    def reset(self, key):
        key_state, key_obs = jax.random.split(key)
        state = begin(key_state)
        return state, first(self.observe(key_obs, state))

    def observe(self, key, state):
        return blur(key, direction(state), self.sigma, self.observation_space)


POSITION_ONLY = {
    "Easy": PositionOnlyPendulum(max_steps=200),
    "Medium": PositionOnlyPendulum(max_steps=150),
    "Hard": PositionOnlyPendulum(max_steps=100),
}
NOISY_POSITION_ONLY = {
    "Easy": NoisyPositionOnlyPendulum(sigma=0.1),
    "Medium": NoisyPositionOnlyPendulum(sigma=0.2),
    "Hard": NoisyPositionOnlyPendulum(sigma=0.3),
}
