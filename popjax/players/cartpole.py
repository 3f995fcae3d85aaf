"""Players of the three CartPole families."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from popjax.envs.cartpole import (
    START,
    CartPole,
    State,
    push,
)
from popjax.players.base import Player
from popjax.players.base import memoryless as memoryless_player

COORDINATES = {"positions": [0, 2], "velocities": [1, 3]}  # of x, x_dot, angle, angle_dot
BALANCE = {"clear": (0.24, 0.62, 12.0, 1.7), "blurred": (0.13, 0.35, 12.0, 2.3)}  # by search
LEAST_NOISE = 1e-4  # what is seen clearly is taken to be this uncertain
NEVER = -1  # pushed
MEASURED = 600  # steps for which the pole was seen to stand in every episode
DRIFT = 7e-4  # how far one step of the linear model may be off


def vector(state: State) -> Float[Array, "4"]:
    return jnp.stack([state.x, state.x_dot, state.angle, state.angle_dot])


def sigma(env: CartPole) -> float:
    """The noise of what is seen."""
    return max(env.sigma, LEAST_NOISE)


def memoryless(env: CartPole) -> Player:
    """Pushes by the sign of a linear rule of what is seen; the rules are the best of a search."""
    if env.shows() == "velocities":
        rule = (0.11, 0.99)
    elif env.sigma:
        rule = (-0.15, 0.99)
    else:
        rule = (-0.36, 0.93)
    return memoryless_player(
        "linear rule", "bound", lambda obs: (obs @ jnp.array(rule) > 0).astype(jnp.int32)
    )


def balance(env: CartPole, state: State) -> Int[Array, ""]:
    """The push that brings the pole upright and the cart back: the sign of a linear rule."""
    rule = BALANCE["clear" if sigma(env) < 0.15 else "blurred"]
    return (vector(state) @ jnp.array(rule) > 0).astype(jnp.int32)


def full_state(env: CartPole) -> Player:
    """Balances the true state."""

    def act(key, memory, obs, state):
        return memory, balance(env, state)

    best = "optimal" if env.max_steps <= MEASURED else "bound"
    return Player("linear control of the true state", "privileged", best, lambda: (), act)


def coordinates_seen(env: CartPole) -> np.ndarray:
    """`[T, 2]`: which two of the four coordinates each observation shows."""
    seen = np.tile(COORDINATES[env.shows()], (env.max_steps, 1))
    seen[0] = COORDINATES[env.shows(first=True)]
    return seen


def kalman_gains(env: CartPole) -> np.ndarray:
    """`[T, 4, 2]`: how each observation corrects the estimate (Kalman, "A new approach to linear
    filtering and prediction problems", 1960), for the motion about the upright pole at rest."""
    rest = State(*np.zeros(4, np.float32), time=np.int32(0))
    motion = jax.jacobian(lambda x: vector(push(rest.replace(**x), 1)))(
        {"x": 0.0, "x_dot": 0.0, "angle": 0.0, "angle_dot": 0.0}
    )
    motion = np.stack([motion[name] for name in ("x", "x_dot", "angle", "angle_dot")], axis=1)
    covariance, gains = START**2 / 3 * np.eye(4), []
    for seen in coordinates_seen(env):
        shown = np.eye(4)[seen]
        surprise = shown @ covariance @ shown.T + sigma(env) ** 2 * np.eye(2)
        gains.append(covariance @ shown.T @ np.linalg.inv(surprise))
        covariance = covariance - gains[-1] @ shown @ covariance
        covariance = motion @ covariance @ motion.T + DRIFT**2 * np.eye(4)
    return np.float32(gains)


def reference(env: CartPole) -> Player:
    """Estimates the state with a Kalman filter and balances the estimate."""
    gains, seen = jnp.asarray(kalman_gains(env)), jnp.asarray(coordinates_seen(env))

    def begin():
        return State(*jnp.zeros(4), time=jnp.int32(0)), jnp.int32(NEVER)

    def act(key, memory, obs, state):
        guess, last = memory
        pushed = push(guess, last)
        guess = jax.tree.map(lambda a, b: jnp.where(last == NEVER, a, b), guess, pushed)
        surprise = obs - vector(guess)[seen[guess.time]]
        guess = State(*(vector(guess) + gains[guess.time] @ surprise), time=guess.time)
        action = balance(env, guess)
        return (guess, action), action

    clear = not env.sigma and env.shows(first=True) == "positions"
    best = "optimal" if clear and env.max_steps <= MEASURED else "bound"
    return Player("Kalman filter and linear control", "history", best, begin, act)


def follow(before, after, action):
    """What the reference player remembers once `action` was done, its own choice or not."""
    estimate, _ = after
    return estimate, action
