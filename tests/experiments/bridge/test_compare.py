"""`popjax bridge compare`: any two runs of one environment."""

import json

import pytest

from experiments.bridge.measures.competence import skill_of_agent, skill_of_model
from popjax.floors.table import floor
from tests.support.command import assert_one_line, run

SMALL = "--memory gru --seeds 2 --features 8 --head-features 8"


def test_what_is_no_run_gets_one_line(capsys, tmp_path):
    assert_one_line(capsys, f"bridge compare {tmp_path} {tmp_path}", "spec.json is missing")
    assert_one_line(capsys, f"bridge compare {tmp_path} {tmp_path} --episodes 3", "from 64")


@pytest.mark.parametrize(
    "env, mean, outcome",
    [
        ("RepeatFirstEasy", 1.0, "passes"),
        ("RepeatFirstEasy", 0.8, "agent 0.87 of the scale, 0.95 needed"),
        ("HigherLowerEasy", 0.50, "of the value of memory, 0.7 needed"),  # 0.497 without memory
        ("HigherLowerEasy", 0.519, "passes"),
    ],
)
def test_an_agent_is_compared_only_if_its_memory_is_used(env, mean, outcome):
    assert outcome in skill_of_agent(env, mean).outcome


def test_a_model_is_compared_only_if_it_is_near_the_floor():
    """Where the floor does not depend on who plays; elsewhere no gate is known."""
    exact = floor("RepeatFirstEasy")
    worth = exact.without_memory - exact.nats_per_token
    assert skill_of_model("RepeatFirstEasy", exact.nats_per_token + 0.05 * worth).faults == []
    assert skill_of_model("RepeatFirstEasy", exact.without_memory).faults == [
        "model 1.00 of the value of memory above the floor, limit 0.1"
    ]
    assert skill_of_model("MineSweeperEasy", 0.3).outcome == "no gate is known"


@pytest.mark.slow
def test_an_agent_beside_a_language_model(capsys, tmp_path):
    words = f"{SMALL} --total-steps 4096 --out {tmp_path}"
    agent = f"train RepeatFirstEasy {words} --study agent --inputs obs --num-envs 16 --num-steps 32"
    model = f"train RepeatFirstEasy {words} --study model --as lm"
    assert run(capsys, agent)[0] == run(capsys, model)[0] == 0
    a, b = (next((tmp_path / study).glob("Repeat*")) for study in ("agent", "model"))
    code, out, _ = run(capsys, f"bridge compare {a} {b} --episodes 256")
    assert code == 0
    for word in (
        "needed",
        "CKA",
        "CKNNA",
        "the first card after 9 cards",
        "A to B",
        "gru, ppo",
        "gru, lm",
    ):
        assert word in out


@pytest.mark.slow
def test_two_runs_of_one_backbone_make_a_cell(capsys, tmp_path):
    words = f"{SMALL} --total-steps 4096 --out {tmp_path} --separate-critic"
    agent = f"train RepeatFirstEasy {words} --study agent --inputs obs --num-envs 16 --num-steps 32"
    model = f"train RepeatFirstEasy {words} --study model --as lm"
    assert run(capsys, agent)[0] == run(capsys, model)[0] == 0
    a, b = (next((tmp_path / study).glob("Repeat*")) for study in ("agent", "model"))
    code, out, _ = run(capsys, f"bridge compare {b} {a} --episodes 256 --cell")
    cell = json.loads(out)
    assert code == 0 and cell["verdict"] == "unmatched" and len(cell["faults"]) == 3
    assert cell["env"] == "RepeatFirstEasy" and len(cell["recovery_to_agent"]) == 3
    assert_one_line(capsys, f"bridge compare {a} {a} --episodes 256 --cell", "one as lm")


@pytest.mark.slow
def test_a_network_of_cells_is_compared(capsys, tmp_path):
    words = "--memory gru --seeds 2 --features 4 --head-features 4 --total-steps 2048"
    words += f" --num-envs 8 --num-steps 16 --out {tmp_path}"
    for study, more in (("cells", "--style cells"), ("plain", "")):
        assert run(capsys, f"train MultiarmedBanditEasy {words} --study {study} {more}")[0] == 0
    a, b = (next((tmp_path / study).glob("Multi*")) for study in ("cells", "plain"))
    code, out, _ = run(capsys, f"bridge compare {a} {b} --episodes 64")
    assert code == 0 and "of the scale, 0.95 needed" in out
