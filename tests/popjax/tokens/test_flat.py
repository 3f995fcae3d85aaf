"""The flat stream and its vocabulary."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import popjax
from popjax.spaces import Box
from popjax.tokens import Bins, Levels, Vocabulary, corpus, decode, encode
from popjax.tokens.flat import block_size, stream_length
from popjax.tokens.vocabulary import BOS, EOS, PAD

EASY = [f"{family}Easy" for family in popjax.FAMILIES]
TIED = ["AutoencodeEasy", "RepeatFirstEasy", "RepeatPreviousEasy"]


def observations(episodes):
    """`[T + 1, N, ...]`, and which of them belong to an episode."""
    obs = np.concatenate([episodes.obs[:1], episodes.next_obs])
    return obs, np.arange(len(obs))[:, None] <= np.asarray(episodes.lengths)


def check_round_trip(vocabulary):
    env = vocabulary.env
    episodes = corpus(env, "random", seed=0, size=3)
    tokens, back = jax.jit(lambda e: (t := encode(vocabulary, e), decode(vocabulary, t)))(episodes)
    obs, real = observations(episodes)
    np.testing.assert_array_equal(back.lengths, episodes.lengths)
    valid, action = np.asarray(episodes.valid), np.asarray(episodes.action)
    if isinstance(env.observation_space, Box):
        bins, first = Bins(env, vocabulary.num_bins), np.arange(len(obs))[:, None] == 0
        first = np.broadcast_to(first, real.shape)
        expected = np.asarray(bins.centre(bins.index(obs, first), first))
        np.testing.assert_allclose(back.obs[real], expected[real], rtol=1e-6)
    else:
        np.testing.assert_array_equal(back.obs[real], obs[real])
    if isinstance(env.action_space, Box):
        assert np.abs(back.action - action)[valid].max() <= 0.25 + 1e-6, "half a level"
    else:
        np.testing.assert_array_equal(back.action[valid], action[valid])
    return np.asarray(tokens), episodes


@pytest.mark.parametrize("env_id", EASY)
def test_what_is_decoded_is_what_was_encoded(env_id):
    vocabulary = Vocabulary(popjax.ENVS[env_id])
    tokens, episodes = check_round_trip(vocabulary)
    lengths = np.asarray(episodes.lengths)
    assert tokens.shape == (stream_length(vocabulary, len(episodes.reward)), len(lengths))
    assert (tokens[0] == BOS).all() and tokens.max() < vocabulary.size
    ends = 1 + lengths * block_size(vocabulary) + len(vocabulary.components)
    assert (tokens[ends, np.arange(len(lengths))] == EOS).all()
    assert ((tokens == EOS).sum(0) == 1).all()
    after = np.arange(len(tokens))[:, None] > ends
    np.testing.assert_array_equal(tokens == PAD, after)


@pytest.mark.parametrize("env_id", ["MineSweeperEasy", "PositionOnlyCartPoleEasy"])
def test_rewards_and_ends_can_be_written_too(env_id):
    env = popjax.ENVS[env_id]
    vocabulary = Vocabulary(env, rewards=True, ends=True, num_bins=16)
    tokens, episodes = check_round_trip(vocabulary)
    over = (tokens == vocabulary.end_ids + 1).sum(0)
    goes_on = (tokens == vocabulary.end_ids).sum(0)
    assert (over == 1).all()
    np.testing.assert_array_equal(goes_on, np.asarray(episodes.lengths) - 1)
    for sign in (-1, 0, 1):
        written = (tokens == vocabulary.reward_ids + 1 + sign).sum()
        assert written == np.sum((np.sign(episodes.reward) == sign) & episodes.valid)


@pytest.mark.parametrize("env_id", TIED)
def test_a_suit_said_can_be_the_token_of_that_suit_seen(env_id):
    env = popjax.ENVS[env_id]
    tied = Vocabulary(env, tie_obs_act=True)
    check_round_trip(tied)
    assert tied.size == Vocabulary(env).size - 4
    suits = jnp.arange(4)
    seen = jnp.stack([jnp.ones_like(suits), suits], 1) if env_id == "AutoencodeEasy" else suits
    np.testing.assert_array_equal(tied.of_action(suits), tied.of_obs(seen)[..., 0])
    with pytest.raises(ValueError, match="cannot be tied"):
        Vocabulary(popjax.ENVS["CountRecallEasy"], tie_obs_act=True)


@pytest.mark.parametrize("env_id", popjax.ENVS)
def test_every_token_has_a_name_of_its_own(env_id):
    for extra in (False, True):
        vocabulary = Vocabulary(popjax.ENVS[env_id], rewards=extra, ends=extra)
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
