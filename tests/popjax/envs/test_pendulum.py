"""The rules of the two Pendulum families, as a player would state them.

Rounding errors grow with time, so our state (float32) is put into the reference (float64) before
each step: it is one step from equal states that agrees to 1e-5.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from popjax import batch
from popjax.envs.pendulum import NOISY_POSITION_ONLY, POSITION_ONLY, State, wrap
from popjax.players import make_player, play
from tests.support.laws import check_blur, check_same_law, check_uniform
from tests.support.reference import Given, check_replay, reference_env

reset = jax.jit(batch.reset, static_argnums=(0, 2))
advance = jax.jit(batch.advance, static_argnums=0)
LEVELS = ["Easy", "Medium", "Hard"]


def put(reference, ours, n, t):
    reference.state = np.array([ours.state.angle[t, n], ours.state.speed[t, n]], np.float64)


def inject(reference, ours, n):
    reference.reset(seed=0)
    put(reference, ours, n, 0)
    reference._state = reference._get_obs()
    return reference._state[:2]


def put_noise(reference, ours, n, t):
    """Our state, and the noise of our next observation."""
    put(reference, ours, n, t)
    angle = ours.next_state.angle[t, n]
    reference.np_random = Given(ours.next_obs[t, n] - np.array([np.cos(angle), np.sin(angle)]))


def inject_noise(reference, ours, n):
    clear = inject(reference, ours, n)
    reference.np_random = Given(ours.obs[0, n] - clear)
    return reference.add_noise_to_obs(clear)


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference(level, kind):
    env = POSITION_ONLY[level]
    player = make_player(env, kind)
    check_replay(env, f"PositionOnlyPendulum{level}", player, inject, before_step=put)


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference_given_the_noise(level, kind):
    """The noise itself is compared by its law, below."""
    env = NOISY_POSITION_ONLY[level]
    env_id, player = f"NoisyPositionOnlyPendulum{level}", make_player(env, kind)
    check_replay(env, env_id, player, inject_noise, before_step=put_noise)


def test_it_begins_anywhere_and_slowly():
    states, _ = reset(POSITION_ONLY["Easy"], jax.random.key(0), 4000)
    reference = reference_env("PositionOnlyPendulumEasy")
    reference.reset(seed=0)
    theirs = np.array([(reference.reset(), reference.state)[1] for _ in range(2000)]).T
    check_uniform(states.angle, -np.pi - 1e-6, np.pi)
    check_uniform(states.speed, -1, 1)
    check_same_law(states.angle, theirs[0])
    check_same_law(states.speed, theirs[1])
    assert abs(np.corrcoef(states.angle, states.speed)[0, 1]) < 4 / np.sqrt(4000)


@pytest.mark.parametrize("level", LEVELS)
def test_noise_follows_its_law_and_is_clipped_at_reset_too(level):
    """Ports left it un-clipped."""
    env = NOISY_POSITION_ONLY[level]
    low, high = np.array(env.observation_space.low), np.array(env.observation_space.high)
    states, first = reset(env, jax.random.key(1), 20_000)
    after, later = advance(env, jax.random.key(2), states, jnp.zeros((20_000, 1)))
    clear = [np.stack([np.cos(s.angle), np.sin(s.angle)], axis=1) for s in (states, after)]
    check_blur(np.asarray(first.obs), clear[0], env.sigma, low, high)
    check_blur(np.asarray(later.obs), clear[1], env.sigma, low, high)
    steep = (np.abs(clear[0]) < 0.3) & (np.abs(clear[1]) < 0.3)  # far from the bounds
    noise = [(obs - c)[steep] for obs, c in zip((first.obs, later.obs), clear, strict=True)]
    assert abs(np.corrcoef(*noise)[0, 1]) < 4 / np.sqrt(steep.sum())


def test_the_reward_is_one_share_at_rest_upright_and_minus_one_at_worst():
    env = POSITION_ONLY["Hard"]
    upright = State(angle=jnp.float32(0), speed=jnp.float32(0), time=jnp.int32(0))
    hanging = State(angle=jnp.float32(-np.pi), speed=jnp.float32(8), time=jnp.int32(0))
    best = env.step(jax.random.key(0), upright, np.float32([0.0]))[1].reward
    worst = env.step(jax.random.key(0), hanging, np.float32([2.0]))[1].reward
    np.testing.assert_allclose([best, worst], [1 / 100, -1 / 100], rtol=1e-6)


def test_an_angle_is_one_direction():
    angle = np.linspace(-3 * np.pi + 1e-3, 3 * np.pi - 1e-3, 1001)
    wrapped = np.asarray(wrap(jnp.asarray(angle)))
    assert (np.abs(wrapped) <= np.pi + 1e-6).all()
    np.testing.assert_allclose(np.exp(1j * wrapped), np.exp(1j * angle), atol=1e-5)


@pytest.mark.slow  # by default: the reference, step by step
@pytest.mark.parametrize(
    ("level", "least"), [("Easy", 0.90), ("Medium", 0.87), ("Hard", 0.80)], ids=LEVELS
)
def test_the_history_is_enough_to_swing_up(level, least):
    """Value iteration on the true state earns 0.917, 0.892, 0.838."""
    env = POSITION_ONLY[level]
    assert play(env, make_player(env), jax.random.key(3), 400).returns.mean() > least
