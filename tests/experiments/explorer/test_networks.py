"""The trained networks that ship: read back, and the ones that the shipped episodes show."""

import jax
import numpy as np
import pytest

from experiments.explorer import page as explorer_page
from experiments.explorer.networks import keep, shipped_pair, with_networks
from experiments.explorer.study import recorded
from experiments.results.errors import UserError
from popjax import FAMILIES
from tests.support.command import run


def test_every_family_has_a_pair_at_its_easy_level():
    assert with_networks() == sorted(f"{family}Easy" for family in FAMILIES)
    for name, packed in explorer_page.shipped().items():
        assert (explorer_page.unpack(packed)["agent"] is not None) == (name in with_networks())


@pytest.mark.parametrize("env_id", [f"{family}Easy" for family in FAMILIES])
def test_both_have_one_backbone_and_finite_weights(env_id):
    pair = shipped_pair(env_id)
    assert pair.agent.network.backbone == pair.language_model.network.backbone
    shown = explorer_page.unpack(explorer_page.shipped()[env_id])
    for costume, told in ((pair.agent, "agent"), (pair.language_model, "language_model")):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(costume.params))
        assert costume.facts.items() <= shown[told].items()


@pytest.mark.slow
def test_they_think_what_the_shipped_episode_says():
    """Of one where actions change nothing, so that a rounding elsewhere leads to no other deck."""
    env_id = "RepeatPreviousEasy"
    then = explorer_page.unpack(explorer_page.shipped()[env_id])
    now = recorded(env_id, shipped_pair(env_id))
    assert now["seen"] == then["seen"]
    for costume, what in (("agent", "policy"), ("language_model", "next")):
        ours, theirs = (np.array(episode[costume][what], float) for episode in (now, then))
        assert np.abs(ours - theirs).max() <= 3, "in thousandths"


def test_a_pair_that_is_kept_is_read_back(tmp_path):
    pair = shipped_pair("RepeatFirstEasy")
    keep("RepeatFirstEasy", pair, tmp_path)
    again = shipped_pair("RepeatFirstEasy", tmp_path)
    assert again.agent.facts == pair.agent.facts and again.agent.inputs == pair.agent.inputs
    jax.tree.map(np.testing.assert_array_equal, again.agent.params, pair.agent.params)
    with pytest.raises(UserError, match="did you mean 'RepeatFirstEasy'"):
        shipped_pair("RepeatFirstHard", tmp_path)


@pytest.mark.slow  # by default: the shipped episode
def test_other_episodes_of_them(capsys, tmp_path):
    path = tmp_path / "page.html"
    code, out, _ = run(capsys, f"explore --seed 7 --envs HigherLowerEasy --file {path}")
    assert code == 0 and "recorded HigherLowerEasy: a trained pair" in out
    text = path.read_text("utf-8")
    assert "popjax explore --seed 7" in text and "HigherLowerEasy" in text
    assert explorer_page.shipped()["HigherLowerEasy"] not in text
