"""A number and a word for all that is seen and done."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from popjax.spaces import Box
from popjax.tokens import Bins, Levels, Vocabulary, corpus

EASY = [f"{family}Easy" for family in popjax.FAMILIES]


@pytest.mark.by_default(
    "CountRecallEasy",
    "MineSweeperEasy",
    "VelocityOnlyCartPoleEasy",
    "PositionOnlyPendulumEasy",
)
@pytest.mark.parametrize("env_id", EASY)
def test_tokens_are_read_back(env_id):
    """Integers as they were, reals as the middle of their bins, torques as the nearest of nine."""
    env = popjax.ENVS[env_id]
    vocabulary, episodes = Vocabulary(env), corpus(env, "random", seed=0, size=3)
    first = np.broadcast_to(np.arange(env.max_steps)[:, None] == 0, episodes.valid.shape)

    @jax.jit
    def there_and_back(obs, action):
        said = vocabulary.of_action(action)
        seen = vocabulary.of_obs(obs, first)
        previous = jnp.roll(said, 1, axis=0) - vocabulary.action_ids
        back = vocabulary.to_obs(seen, first, previous), vocabulary.to_action(said)
        return seen, said, back

    seen, said, (obs, action) = there_and_back(episodes.obs, episodes.action)
    valid = np.asarray(episodes.valid)
    assert 4 <= seen[valid].min() <= seen[valid].max() < said[valid].min() < vocabulary.size
    if isinstance(env.observation_space, Box):
        bins = Bins(env, vocabulary.num_bins)
        centre = bins.centre(bins.index(episodes.obs, first), first)
        np.testing.assert_allclose(obs[valid], centre[valid], rtol=1e-6)
    else:
        np.testing.assert_array_equal(obs[valid], episodes.obs[valid])
    if isinstance(env.action_space, Box):
        assert np.abs(action - episodes.action)[valid].max() <= 0.25 + 1e-6, "half a level"
    else:
        np.testing.assert_array_equal(action[valid], episodes.action[valid])


@pytest.mark.parametrize("env_id", popjax.ENVS)
def test_every_token_has_a_name_of_its_own(env_id):
    vocabulary = Vocabulary(popjax.ENVS[env_id])
    assert len(set(vocabulary.words)) == len(vocabulary.words) == vocabulary.size
    assert all(len(word) < 40 for word in vocabulary.words)


@pytest.mark.parametrize(
    ("env_id", "components", "num_actions"),
    [
        ("AutoencodeEasy", (8,), 4),
        ("CountRecallHard", (169,), 17),
        ("ConcentrationHard", (14,) * 52, 52),
        ("BattleshipHard", (2,), 144),
        ("MineSweeperHard", (10,), 64),
        ("MultiarmedBanditHard", (2,), 30),
        ("LabyrinthEscapeEasy", (5,) * 9, 4),
        ("PositionOnlyPendulumEasy", (64,), 9),
        ("NoisyPositionOnlyPendulumEasy", (64, 64), 9),
        ("VelocityOnlyCartPoleEasy", (64, 64), 2),
    ],
)
def test_sizes(env_id, components, num_actions):
    vocabulary = Vocabulary(popjax.ENVS[env_id])
    assert vocabulary.components == components and vocabulary.num_actions == num_actions
    assert vocabulary.size == 4 + sum(components) + num_actions


@pytest.mark.by_default("VelocityOnlyCartPoleEasy", "PositionOnlyPendulumEasy")
@pytest.mark.parametrize("env_id", [name for name in EASY if "Pole" in name or "Pend" in name])
def test_the_middle_of_a_bin_lies_in_it_and_between_its_edges(env_id):
    for num_bins in (32, 64, 128):
        bins = Bins(popjax.ENVS[env_id], num_bins)
        index = jnp.stack([jnp.arange(num_bins)] * bins.num_components, axis=-1)
        for first in (False, True):
            np.testing.assert_array_equal(bins.index(bins.centre(index, first), first), index)
            width = np.exp(np.asarray(bins.log_widths(index, first), np.float64)).sum(0)
            low, high = (bins.unscaled(jnp.full(bins.num_components, s), first) for s in (-1, 1))
            whole = 2 * np.pi if bins.num_components == 1 else np.asarray(high - low)
            np.testing.assert_allclose(width, whole, rtol=1e-4)


def test_the_first_observation_of_velocity_only_cart_pole_is_binned_as_positions():
    env = popjax.ENVS["VelocityOnlyCartPoleEasy"]
    obs = jnp.array([0.05, -0.05])
    shown, later = Bins(env).index(obs, first=True), Bins(env).index(obs)
    assert shown.tolist() == [32, 28] and later.tolist() != shown.tolist()
    mended = dataclasses.replace(env, reference_quirks=False)
    assert Bins(mended).index(obs, first=True).tolist() == later.tolist()


def test_nine_torques_from_end_to_end():
    levels = Levels(Box((-2.0,), (2.0,)))
    torques = levels.from_number(jnp.arange(9))
    assert torques[:, 0].tolist() == [-2, -1.5, -1, -0.5, 0, 0.5, 1, 1.5, 2]
    np.testing.assert_array_equal(levels.to_number(torques), np.arange(9))
