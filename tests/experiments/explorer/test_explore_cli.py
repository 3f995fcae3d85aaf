"""`popjax explore`: one file, of the package's own recordings or of a study's networks."""

import re

import pytest

from experiments.explorer import page as explorer_page
from experiments.explorer import study as explorer_study
from experiments.explorer.models import BUDGETS, pair, study_cells
from popjax import FAMILIES
from tests.support.command import assert_one_line, run


def test_the_page_is_one_file_that_names_no_other(capsys, tmp_path):
    path = tmp_path / "page.html"
    code, out, _ = run(capsys, f"explore --file {path}")
    text = path.read_text("utf-8")
    assert code == 0 and "open it in a browser" in out
    assert text == explorer_page.page() and explorer_page.PLACE not in text
    head = text.split('<script type="module"')[0]
    assert not re.findall(r'<(?:script|link|img)[^>]*(?:src|href)="(?!data:)', head)
    assert text.count("<script") == 2 and "<script src" not in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("explore nosuchstudy", "there is no study in"),
        ("explore --envs RepeatFirstEasy", "--envs goes with --record"),
        ("explore --record --envs RepeatFirstEazy", "did you mean 'RepeatFirstEasy', "),
        ("explore some --record", "without a study"),
        ("explore --keep-networks", "--keep-networks goes with --record"),
        ("explore some --seed 3", "by itself"),
        ("explore --file missing/page.html", "cannot write to"),
        ("exploer", "did you mean 'explore'?"),
    ],
)
def test_a_mistake_gets_one_line(capsys, monkeypatch, tmp_path, words, says):
    monkeypatch.chdir(tmp_path)
    assert_one_line(capsys, words, says)


def test_both_costumes_of_every_family_have_the_same_backbone_and_inputs():
    assert set(BUDGETS) == set(FAMILIES) and len(study_cells()) == 2 * len(FAMILIES)
    for family in FAMILIES:
        agent, model = pair(family)
        assert agent.settings.network == model.settings.network and agent.memory == model.memory
        with_action = agent.settings.ppo.inputs == "obs+action"
        assert model.settings.lm.previous_action == "auto"
        assert with_action == (model.settings.lm.player == "mixture")


@pytest.mark.slow
def test_a_study_shows_its_own_networks(capsys, tmp_path):
    small = f"--seeds 1 --features 8 --head-features 8 --out {tmp_path} --study s"
    assert run(capsys, f"train HigherLowerEasy --total-steps 20000 {small}")[0] == 0
    assert run(capsys, f"train HigherLowerEasy --as lm --total-steps 20000 {small}")[0] == 0
    code, out, _ = run(capsys, f"explore s --out {tmp_path}")
    assert code == 0 and "recorded HigherLowerEasy: a trained pair" in out
    text = (tmp_path / "s" / "explore.html").read_text("utf-8")
    assert '"study":{"name":"s"' in text and "nats a token, floor 2.20" in text


@pytest.mark.slow  # by default: the page of what ships
def test_recording_some_environments_keeps_the_others(capsys, tmp_path, monkeypatch):
    stored = tmp_path / "episodes.json"
    stored.write_text('{"RepeatFirstEasy": "kept", "HigherLowerHard": "old"}')
    monkeypatch.setattr(explorer_page, "EPISODES", stored)
    monkeypatch.setattr(explorer_page, "FORGETTING", tmp_path / "forgetting.json")
    monkeypatch.setattr(explorer_study, "shipped_pairs", dict)
    monkeypatch.setattr(
        explorer_study, "recorded", lambda name, pair, seed: {"env": name, "pair": pair}
    )
    monkeypatch.setattr(explorer_study, "study_cells", list)
    explorer_page.shipped.cache_clear()
    words = f"explore --record --envs HigherLowerHard AutoencodeEasy --out {tmp_path}"
    try:
        assert run(capsys, f"{words} --file {tmp_path / 'page.html'}")[0] == 0
        assert list(explorer_page.shipped()) == [
            "AutoencodeEasy",
            "HigherLowerHard",
            "RepeatFirstEasy",
        ]
        assert explorer_page.shipped()["RepeatFirstEasy"] == "kept"
        fresh = explorer_page.unpack(explorer_page.shipped()["HigherLowerHard"])
        assert fresh == {"env": "HigherLowerHard", "pair": None}
        monkeypatch.setattr(explorer_study, "run_cells", None)  # so that training would fail
        words = f"{words} --keep-networks --file {tmp_path / 'page.html'}"
        assert run(capsys, words)[0] == 0
    finally:
        explorer_page.shipped.cache_clear()
        explorer_page.shipped_forgetting.cache_clear()
