"""`popjax bridge compare`: any two runs of one environment."""

import pytest

from tests.support.command import assert_one_line, run

SMALL = "--memory gru --seeds 2 --features 8 --head-features 8"


def test_what_is_no_run_gets_one_line(capsys, tmp_path):
    assert_one_line(capsys, f"bridge compare {tmp_path} {tmp_path}", "spec.json is missing")
    assert_one_line(capsys, f"bridge compare {tmp_path} {tmp_path} --episodes 3", "from 64")


@pytest.mark.slow
def test_an_agent_beside_a_language_model(capsys, tmp_path):
    words = f"{SMALL} --total-steps 4096 --out {tmp_path}"
    agent = f"train RepeatFirstEasy {words} --study agent --inputs obs --num-envs 16 --num-steps 32"
    model = f"train RepeatFirstEasy {words} --study model --as lm"
    assert run(capsys, agent)[0] == run(capsys, model)[0] == 0
    a, b = (next((tmp_path / study).glob("Repeat*")) for study in ("agent", "model"))
    code, out, _ = run(capsys, f"bridge compare {a} {b} --episodes 256")
    assert code == 0
    for word in ("CKA", "CKNNA", "the first card after 9 cards", "A to B", "gru, ppo", "gru, lm"):
        assert word in out
