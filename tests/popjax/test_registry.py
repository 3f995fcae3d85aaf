"""Environments by name: the reference's ids, the ports' names, and words that do not exist."""

import popgym.envs
import pytest

import popjax
from popjax.registry import canonical

PORT_NAMES = {
    "StatelessCartPoleEasy": "PositionOnlyCartPoleEasy",
    "NoisyStatelessCartPoleHard": "NoisyPositionOnlyCartPoleHard",
    "StatelessPendulumMedium": "PositionOnlyPendulumMedium",
    "NoisyStatelessPendulumEasy": "NoisyPositionOnlyPendulumEasy",
    "popgym-StatelessCartPoleHard-v0": "PositionOnlyCartPoleHard",
    "MultiArmedBanditEasy": "MultiarmedBanditEasy",
    "MinesweeperEasy": "MineSweeperEasy",
}
reference_ids = {spec["id"]: env.__name__ for env, spec in popgym.envs.ALL.items()}
reference_families = {spec["id"]: env.__name__ for env, spec in popgym.envs.ALL_BASE.items()}


def test_the_ids_are_those_of_the_reference():
    assert set(popjax.ENVS) == set(reference_ids.values())
    assert len(popjax.ENVS) == 48 and len(popjax.FAMILIES) == 16


@pytest.mark.parametrize("name", reference_ids)
def test_the_ids_of_the_reference_are_understood(name):
    """popgym-VelocityOnlyCartpoleEasy-v0 with its small p among them."""
    assert canonical(name) == reference_ids[name]
    assert popjax.make(name) == popjax.ENVS[reference_ids[name]]


@pytest.mark.parametrize("name", reference_families)
def test_a_family_alone_is_its_easy_level_as_in_the_reference(name):
    assert canonical(name) == reference_families[name] + "Easy"


@pytest.mark.parametrize("name", PORT_NAMES)
def test_the_names_of_the_ports_are_understood(name):
    assert canonical(name) == PORT_NAMES[name]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("RepeatPreviousEasyy", "RepeatPreviousEasy"),
        ("repeatfirsthard", "RepeatFirstHard"),
        ("CountRecalEasy", "CountRecallEasy"),
        ("popgym-HigherLowerMidium-v0", "HigherLowerMedium"),
    ],
)
def test_a_wrong_word_gets_the_nearest_right_one(wrong, right):
    with pytest.raises(ValueError, match=rf"no environment is called '{wrong}': .*'{right}'"):
        popjax.make(wrong)


def test_who_is_like_none_of_them_is_shown_where_the_list_is():
    with pytest.raises(ValueError, match=r"'qqqqqqqq'.*\(popjax envs lists all\)"):
        popjax.make("qqqqqqqq")


def test_fields_can_be_changed():
    env = popjax.make("CountRecallEasy", deck=popjax.Deck(13, 4))
    assert env.num_kinds == 13 and env.action_space.sizes == 5
    with pytest.raises(ValueError, match="did you mean 'deck'"):
        popjax.make("CountRecallEasy", num_deck=2)


def test_no_two_ids_are_the_same_environment():
    assert len(set(popjax.ENVS.values())) == len(popjax.ENVS)


@pytest.mark.parametrize("name", popjax.ENVS)
def test_what_is_printed_makes_it_again(name):
    env = popjax.ENVS[name]
    assert env.name == type(env).__name__
    assert repr(env).startswith(env.name)
