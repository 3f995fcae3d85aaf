"""Gymnasium's own checker passes both adapters; NumPy and Python values go out."""

import re

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

import popjax
from popjax.adapters.gymnasium import GymnasiumEnv, GymnasiumVectorEnv
from tests.support.ids import IDS


@pytest.mark.by_default("MineSweeperEasy", "PositionOnlyPendulumHard", "RepeatFirstEasy")
@pytest.mark.filterwarnings("ignore:.*A Box observation space m.*is.*infinity:UserWarning")
@pytest.mark.filterwarnings("ignore:.*recommend using a symmetric and normalized:UserWarning")
@pytest.mark.filterwarnings("ignore:.*environment not having a spec:UserWarning")
@pytest.mark.parametrize("name", IDS)
def test_checker(name):
    check_env(GymnasiumEnv(popjax.ENVS[name]))


@pytest.mark.parametrize("name", IDS)
def test_an_episode(name):
    env = GymnasiumEnv(popjax.ENVS[name])
    env.action_space.seed(0)
    obs, info = env.reset(seed=0)
    assert obs in env.observation_space and info == {}
    over, steps = False, 0
    while not over and steps < 60:
        obs, reward, terminated, truncated, info = env.step(env.action_space.sample())
        assert isinstance(obs, np.ndarray if env.observation_space.shape else np.int64)
        assert type(reward) is float and type(terminated) is type(truncated) is bool
        assert obs in env.observation_space and info == {}
        over, steps = terminated or truncated, steps + 1
    assert over or popjax.ENVS[name].max_steps > 60


@pytest.mark.filterwarnings("ignore:.*environment not having a spec:UserWarning")
def test_render():
    native = popjax.ENVS["MineSweeperEasy"]
    env = GymnasiumEnv(native, render_mode="rgb_array")
    check_env(env)
    env.reset(seed=0)
    frame = env.render()
    assert frame.dtype == np.uint8 and frame.ndim == 3 and frame.shape[2] == 3
    env = GymnasiumEnv(native, render_mode="ansi")
    env.reset(seed=0)
    assert isinstance(env.render(), str)
    with pytest.raises(ValueError, match="render_mode is None, ansi or rgb_array, not 'human'"):
        GymnasiumEnv(native, render_mode="human")


def episode(env, seed):
    obs, _ = env.reset(seed=seed)
    return np.array([obs] + [env.step(0)[0] for _ in range(20)])


def test_seeds():
    env = GymnasiumEnv(popjax.ENVS["RepeatFirstEasy"])
    once, again, other = episode(env, 1), episode(env, 1), episode(env, 2)
    assert (once == again).all() and (once != other).any()
    assert (episode(env, None) != episode(env, None)).any(), "every reset begins a new episode"
    made = [GymnasiumEnv(popjax.ENVS["RepeatFirstEasy"], seed=5) for _ in range(2)]
    assert (episode(made[0], None) == episode(made[1], None)).all()


@pytest.mark.parametrize(
    ("name", "action", "says"),
    [
        ("RepeatFirstEasy", 4, "an integer from 0 to 3"),
        ("RepeatFirstEasy", 1.0, "not an integer"),
        ("MineSweeperEasy", [4, 0], "2 integers from 0 up to 3, 3"),
        ("MineSweeperEasy", 3, "2 integers"),
        ("PositionOnlyPendulumEasy", [3.0], "1 reals from"),
        ("PositionOnlyPendulumEasy", [np.nan], "1 reals from"),
        ("PositionOnlyPendulumEasy", [1j], "1 reals from"),
        ("PositionOnlyPendulumEasy", {"torque": 1.0}, "1 reals from"),
        ("PositionOnlyPendulumEasy", [[1.0], [1.0, 2.0]], "1 reals from"),
        ("PositionOnlyPendulumEasy", [[1.0]], "1 reals from"),
        ("PositionOnlyPendulumEasy", ["0.5"], "1 reals from"),
        ("RepeatFirstEasy", {"suit": 1}, "not an integer"),
    ],
)
def test_an_action_outside_its_space(name, action, says):
    env = GymnasiumEnv(popjax.ENVS[name])
    with pytest.raises(gymnasium.error.ResetNeeded):
        env.step(action)
    env.reset(seed=0)
    with pytest.raises(ValueError, match=re.escape(says)):
        env.step(action)


def test_vector_contract():
    native = popjax.ENVS["MineSweeperEasy"]
    envs = GymnasiumVectorEnv(native, num_envs=6)
    assert isinstance(envs, gymnasium.vector.VectorEnv)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    assert envs.single_action_space == gymnasium.spaces.MultiDiscrete([4, 4])
    assert envs.action_space.shape == (6, 2)
    assert envs.observation_space == gymnasium.spaces.MultiDiscrete([3] * 6)


@pytest.mark.by_default("RepeatFirstEasy")
@pytest.mark.parametrize("name", IDS)
def test_vector_episodes(name):
    envs = GymnasiumVectorEnv(popjax.ENVS[name], num_envs=6)
    envs.action_space.seed(0)
    obs, infos = envs.reset(seed=0)
    assert obs in envs.observation_space and infos == {}
    ends = 0
    for _ in range(60):
        obs, rewards, terminations, truncations, infos = envs.step(envs.action_space.sample())
        assert obs in envs.observation_space
        assert rewards.shape == terminations.shape == truncations.shape == (6,)
        last = terminations | truncations
        assert ("final_obs" in infos) == last.any()
        if last.any():
            np.testing.assert_array_equal(infos["_final_obs"], last)
            for i in range(6):
                final = infos["final_obs"][i]
                assert final in envs.single_observation_space if last[i] else final is None
        ends += last.sum()
    assert ends or popjax.ENVS[name].max_steps > 60
    envs.close()


def test_final_obs_is_what_the_episode_ended_in():
    """The pole's last place lies outside the limits; the first of the next episode near 0."""
    envs = GymnasiumVectorEnv(popjax.ENVS["PositionOnlyCartPoleEasy"], num_envs=4)
    envs.reset(seed=0)
    seen = 0
    for _ in range(20):
        obs, _, terminations, _, infos = envs.step(np.ones(4, int))
        for i in np.flatnonzero(terminations):
            assert abs(infos["final_obs"][i][1]) > np.radians(12)
            assert np.abs(obs[i]).max() < 0.051
            seen += 1
    assert seen >= 4


def test_vector_seeds_and_wrong_actions():
    envs = GymnasiumVectorEnv(popjax.ENVS["RepeatFirstEasy"], num_envs=64)
    once, again, other = (envs.reset(seed=seed)[0] for seed in (1, 1, 2))
    assert (once == again).all() and (once != other).any() and len(set(once)) == 4
    with pytest.raises(ValueError, match="64 actions"):
        envs.step(np.zeros(3, int))
    with pytest.raises(ValueError, match="an integer from 0 to 3"):
        envs.step(np.full(64, 4))
    with pytest.raises(ValueError, match="64 actions"):
        envs.step({"suits": 64 * [1]})
    with pytest.raises(ValueError, match="num_envs is a whole number of 1 or more"):
        GymnasiumVectorEnv(popjax.ENVS["RepeatFirstEasy"], num_envs=0)


def test_reals_of_another_shape_or_kind_are_refused_in_a_batch():
    envs = GymnasiumVectorEnv(popjax.ENVS["PositionOnlyPendulumEasy"], num_envs=2)
    envs.reset(seed=0)
    for actions in ([[1j], [1j]], [[1.0, 1.0], [1.0, 1.0]], [1.0, 1.0], [["a"], ["b"]]):
        with pytest.raises(ValueError, match="1 reals from"):
            envs.step(actions)


def test_gymnasium_wrappers():
    envs = GymnasiumVectorEnv(popjax.ENVS["RepeatFirstEasy"], num_envs=4)
    envs = gymnasium.wrappers.vector.RecordEpisodeStatistics(envs)
    envs.reset(seed=0)
    for _ in range(51):
        *_, infos = envs.step(envs.action_space.sample())
    np.testing.assert_array_equal(infos["episode"]["l"], 51)
