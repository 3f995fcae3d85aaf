"""Replays in the reference are short by default, and whole in the slow tests."""

import pytest

from tests.support import reference


def pytest_generate_tests(metafunc):
    if "equals_the_reference" in metafunc.function.__name__:
        whole = pytest.param(True, marks=pytest.mark.slow, id="whole")
        metafunc.fixturenames.append("replay_whole")
        metafunc.parametrize("replay_whole", [pytest.param(False, id="short"), whole])


@pytest.fixture(autouse=True)
def _length_of_replays(request, monkeypatch):
    """short: the first episodes of each game, in which every rule comes up; whole: all 200."""
    if "replay_whole" in request.fixturenames and request.getfixturevalue("replay_whole"):
        monkeypatch.setattr(reference, "ENOUGH_EPISODES", reference.NUM_EPISODES)
