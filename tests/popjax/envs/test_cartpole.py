"""The rules of the three CartPole families, as a player would state them.

Rounding errors grow e-fold in a quarter of a second, so our state (float32) is put into the
reference (float64) before each step: it is one step from equal states that agrees to 1e-5.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from popjax import batch
from popjax.envs.cartpole import (
    ANGLE_LIMIT,
    NOISY_POSITION_ONLY,
    POSITION_ONLY,
    VELOCITY_ONLY,
    X_LIMIT,
    State,
    VelocityOnlyCartPole,
)
from popjax.players import make_player, play
from popjax.players.cartpole import full_state
from tests.support.laws import check_blur, check_same_law, check_uniform
from tests.support.reference import Given, check_replay, reference_env

reset = jax.jit(batch.reset, static_argnums=(0, 2))
advance = jax.jit(batch.advance, static_argnums=0)
LEVELS = ["Easy", "Medium", "Hard"]
FAMILIES = {
    "PositionOnlyCartPole": POSITION_ONLY,
    "VelocityOnlyCartPole": VELOCITY_ONLY,
    "NoisyPositionOnlyCartPole": NOISY_POSITION_ONLY,
}


def put(reference, ours, n, t):
    state = ours.state
    row = [state.x[t, n], state.x_dot[t, n], state.angle[t, n], state.angle_dot[t, n]]
    reference.state = np.array(row, np.float64)


def inject(reference, ours, n):
    reference.reset(seed=0)
    put(reference, ours, n, 0)
    return reference.state[[0, 2]]


def put_noise(reference, ours, n, t):
    """Our state, and the noise of our next observation."""
    put(reference, ours, n, t)
    after = ours.next_state
    noise = ours.next_obs[t, n] - np.array([after.x[t, n], after.angle[t, n]])
    reference.np_random = Given(noise)


def inject_noise(reference, ours, n):
    clear = inject(reference, ours, n)
    reference.np_random = Given(ours.obs[0, n] - clear)
    return reference.add_noise_to_obs(clear)


@pytest.mark.by_default("short-VelocityOnlyCartPole-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", ["PositionOnlyCartPole", "VelocityOnlyCartPole"])
def test_equals_the_reference(family, level, kind):
    env = FAMILIES[family][level]
    check_replay(env, family + level, make_player(env, kind), inject, before_step=put)


@pytest.mark.by_default("short-Easy-random")
@pytest.mark.parametrize("kind", ["random", "reference"])
@pytest.mark.parametrize("level", LEVELS)
def test_equals_the_reference_given_the_noise(level, kind):
    """The noise itself is compared by its law, below."""
    env = NOISY_POSITION_ONLY[level]
    env_id, player = f"NoisyPositionOnlyCartPole{level}", make_player(env, kind)
    check_replay(env, env_id, player, inject_noise, before_step=put_noise)


def test_every_coordinate_begins_uniformly_within_a_twentieth():
    states, _ = reset(POSITION_ONLY["Easy"], jax.random.key(0), 4000)
    ours = np.stack([states.x, states.x_dot, states.angle, states.angle_dot])
    reference = reference_env("PositionOnlyCartPoleEasy")
    reference.reset(seed=0)
    theirs = np.array([(reference.reset(), reference.state)[1] for _ in range(2000)]).T
    for one_of_ours, one_of_theirs in zip(ours, theirs, strict=True):
        check_uniform(one_of_ours, -0.05, 0.05)
        check_same_law(one_of_ours, one_of_theirs)
    correlations = np.corrcoef(ours) - np.eye(4)
    assert np.abs(correlations).max() < 4 / np.sqrt(4000)


@pytest.mark.parametrize("level", LEVELS)
def test_noise_follows_its_law_and_is_clipped_at_reset_too(level):
    """Ports left it un-clipped."""
    env = NOISY_POSITION_ONLY[level]
    space = env.observation_space
    states, timesteps = reset(env, jax.random.key(1), 20_000)
    leaning = states.replace(angle=jnp.linspace(-ANGLE_LIMIT, ANGLE_LIMIT, 20_000))
    after, later = advance(env, jax.random.key(2), leaning, jnp.zeros(20_000, jnp.int32))
    for state, obs in ((states, timesteps.obs), (after, later.obs)):
        clear = np.stack([state.x, state.angle], axis=1)
        check_blur(np.asarray(obs), clear, env.sigma, np.array(space.low), np.array(space.high))
    first, second = (
        np.asarray(o - jnp.stack([s.x, s.angle], axis=1))
        for s, o in ((states, timesteps.obs), (after, later.obs))
    )
    assert abs(np.corrcoef(first[:, 0], second[:, 0])[0, 1]) < 4 / np.sqrt(20_000)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_step_pays_too_and_no_step_is_paid_back(family):
    """A port took 1 back after the end."""
    env = FAMILIES[family]["Easy"]

    def roll(key):
        states, _ = batch.reset(env, key, 64)
        keys = jax.random.split(key, 300)
        actions = jnp.ones(64, jnp.int32)
        return jax.lax.scan(lambda s, k: batch.advance(env, k, s, actions), states, keys)[1]

    timesteps = jax.jit(roll)(jax.random.key(0))
    assert timesteps.terminated[:12].any(axis=0).all()
    np.testing.assert_allclose(timesteps.reward, 1 / 200, rtol=1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pole_can_fall_at_the_time_limit(family):
    """Then both flags are true."""
    env = FAMILIES[family]["Easy"]
    state = State(*map(jnp.float32, (0.0, 0.0, 0.2094, 1.0)), time=jnp.int32(env.max_steps - 1))
    _, timestep = env.step(jax.random.key(0), state, 0)
    assert timestep.terminated and timestep.truncated


@pytest.mark.parametrize(
    ("coordinate", "limit"), [("x", X_LIMIT), ("angle", ANGLE_LIMIT)], ids=["track", "lean"]
)
def test_the_limits_hold_on_both_sides(coordinate, limit):
    env = POSITION_ONLY["Easy"]
    still = State(*4 * [jnp.float32(0)], time=jnp.int32(0))
    for place, falls in ((-1.001, True), (-0.999, False), (0.999, False), (1.001, True)):
        state = still.replace(**{coordinate: jnp.float32(place * limit)})
        assert env.step(jax.random.key(0), state, 1)[1].terminated == falls


def test_the_first_observation_of_velocity_only_holds_positions():
    """An oversight of the reference that is kept unless one asks for the repaired task."""
    key = jax.random.key(3)
    states, timesteps = reset(VelocityOnlyCartPole(), key, 16)
    np.testing.assert_array_equal(timesteps.obs, np.stack([states.x, states.angle], axis=1))
    repaired = VelocityOnlyCartPole(reference_quirks=False)
    states, timesteps = reset(repaired, key, 16)
    np.testing.assert_array_equal(timesteps.obs, np.stack([states.x_dot, states.angle_dot], axis=1))


@pytest.mark.by_default("VelocityOnlyCartPole-Easy")
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("family", ["PositionOnlyCartPole", "VelocityOnlyCartPole"])
def test_the_history_is_enough_to_balance(family, level):
    env = FAMILIES[family][level]
    episodes = play(env, make_player(env), jax.random.key(4), 200)
    np.testing.assert_allclose(episodes.returns, 1.0, atol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
def test_the_true_state_is_enough_to_balance(level):
    env = POSITION_ONLY[level]
    episodes = play(env, full_state(env), jax.random.key(5), 200)
    np.testing.assert_allclose(episodes.returns, 1.0, atol=1e-5)
