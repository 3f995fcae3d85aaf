"""`popjax bridge floors`, `tokens`: every row says what it is and where it comes from."""

import csv
import json
import math

import pytest

import popjax
from popjax.floors import floor_table
from tests.support.command import assert_harmless, run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("bridge floorz", "no bridge is called 'floorz': did you mean 'floors'?"),
        ("bridge floors --envs HigherLowerEazy", "did you mean 'HigherLowerEasy', "),
        ("bridge floors --out floors.txt", "--out takes a .json or a .csv file"),
        ("bridge floors --out missing/floors.csv", "cannot write to"),
    ],
)
def test_a_mistake_gets_one_line(capsys, monkeypatch, tmp_path, words, says):
    assert_harmless(capsys, monkeypatch, tmp_path, words, says)


def test_every_environment_has_a_row(capsys):
    code, out, _ = run(capsys, "bridge floors")
    assert code == 0
    rows = [line for line in out.splitlines() if " exact " in line or " at most " in line]
    assert len(rows) == len(floor_table())
    assert all(any(env_id in row for row in rows) for env_id in popjax.ENVS)


def test_only_those_asked_for(capsys):
    code, out, _ = run(capsys, "bridge floors --envs HigherLowerEasy MultiarmedBanditEasy")
    assert code == 0 and "HigherLowerEasy" in out and "RepeatFirst" not in out
    assert "2.2055" in out, "112.481 nats over 51 cards"


def test_the_table_as_files(capsys, tmp_path):
    for name in ("floors.json", "floors.csv"):
        assert run(capsys, f"bridge floors --out {tmp_path / name}")[0] == 0
    listed = json.loads((tmp_path / "floors.json").read_text())
    with (tmp_path / "floors.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(listed) == len(lines) == len(floor_table())
    easy = next(row for row in listed if row["env_id"] == "HigherLowerEasy")
    total = math.lgamma(53) - 13 * math.lgamma(5) - math.log(13)
    assert easy["kind"] == "exact" and math.isclose(easy["nats_per_token"], total / 51)
    one_seen = -3 / 51 * math.log(3 / 51) - 48 / 51 * math.log(4 / 51)  # 3 of 51 like it
    assert math.isclose(easy["memory_is_worth"], one_seen - total / 51)


def test_what_is_predicted(capsys):
    code, out, _ = run(capsys, "bridge tokens")
    assert code == 0 and all(env_id in out for env_id in popjax.ENVS)
    code, out, _ = run(capsys, "bridge tokens --envs CountRecallHard")
    assert code == 0 and " 169 " in out and "RepeatFirst" not in out
