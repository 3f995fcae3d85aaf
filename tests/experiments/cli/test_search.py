"""The command `popjax search`: a tiny one from its plan to its figure and to tuned.json."""

import json

import pytest

from experiments.cli.app import main
from experiments.train.settings import tuned
from tests.support.command import assert_harmless, assert_one_line, run

TINY = (
    "search RepeatFirstEasy --memory mlp --points 4 --seeds 2 --eta 2 --total-steps 1024 "
    "--features 8 --head-features 8 --num-envs 4 --num-steps 16 --num-minibatches 2 --num-epochs 1"
)


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    out = tmp_path_factory.mktemp("results")
    assert main(f"{TINY} --out {out}".split()) == 0
    return out


def test_a_search_says_what_it_will_do_and_what_it_found(study, capsys):
    """And run again, it only says it again."""
    code, out, _ = run(capsys, f"{TINY} --out {study}")
    assert code == 0
    for words in (
        "8 lanes, 1 program to compile",
        "rung 0: 4 points x 2 seeds (1000 to 1001) x 512 steps",
        "rung 1: 2 points x 4 seeds (1002 to 1005) x 1,024 steps",
        "fresh seeds: the winner and point 0 x 4 seeds (2000 to 2003) x 1,024 steps",
        "s a point in the first rung",
    ):
        assert words in out
    folder = study / "search-RepeatFirstEasy-mlp"
    for name in ("points.parquet", "search.png", "search.svg", "study.json"):
        assert (folder / name).stat().st_size
    assert_one_line(capsys, f"report {folder.name} --out {study}", "is a search")


@pytest.mark.slow  # by default: test_tuned.py
def test_the_winner_is_written_only_if_it_is_better(study, capsys, monkeypatch, tmp_path):
    path = tmp_path / "tuned.json"
    path.write_text(json.dumps({"*": {"*": {"settings": {}, "source": "nothing"}}}))
    read, write = tuned.read_tuned, tuned.write_tuned
    monkeypatch.setattr(tuned, "read_tuned", lambda _=None: read(path))
    monkeypatch.setattr(tuned, "write_tuned", lambda *entry: write(*entry, path))
    for won in (True, False):
        monkeypatch.setattr("experiments.search.report.better", lambda found, won=won: won)
        before = path.read_text()
        code, out, _ = run(capsys, f"{TINY} --out {study} --write")
        assert code == 0
        entries = json.loads(path.read_text())
        if won:
            entry = entries["RepeatFirstEasy"]["mlp"]
            assert entry["settings"]["network"] == {"features": 8, "head_features": 8}
            assert "total_steps" not in entry["settings"] and "seeds" not in entry["settings"]
            assert "popjax search RepeatFirstEasy --memory mlp" in entry["source"]
            assert "--points 4 --eta 2 --engine sobol --seed 0 --seeds 2" in entry["source"]
            assert "tuning seeds 1000 to 1005" in entry["source"]
        else:
            assert "stays as it is" in out and path.read_text() == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("search RepeatFirstEsay", "did you mean 'RepeatFirstEasy', "),
        ("search RepeatFirstEasy --engine optima", "did you mean 'optuna'?"),
        ("search RepeatFirstEasy --over gama", "did you mean 'gamma'?"),
        ("search RepeatFirstEasy --vary feature=3", "did you mean 'features'?"),
        ("search RepeatFirstEasy --points 1", "--points takes a whole number from 2"),
        ("search RepeatFirstEasy --first-seed 0", "trains with seeds from 1000 on"),
        ("search RepeatFirstEasy --settings fats", "did you mean 'fast'?"),
        ("search RepeatFirstEasy --study a/b", "plain folder name"),
    ],
)
def test_a_mistake_gets_one_line(capsys, monkeypatch, tmp_path, words, says):
    assert_harmless(capsys, monkeypatch, tmp_path, words, says)
