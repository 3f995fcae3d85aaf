"""Results that are kept with the sources: what goes in, what stays, and the table made of them."""

import dataclasses

import numpy as np
import pytest

from experiments import published
from experiments.errors import UserError
from experiments.results import Cell, open_study
from experiments.specs import Settings, cell


def study(out, name, returns, diverged=None):
    """A study with one finished cell, as if it had been trained."""
    folder = open_study(out, name, {"kind": "train"})
    spec = cell("CountRecallEasy", "gru", Settings(seeds=2))
    store = Cell(folder, spec)
    store.open()
    evaluation = {
        "seed": np.array([0, 1, 0, 1]),
        "policy": np.array(["sampled", "sampled", "greedy", "greedy"]),
        "return": np.tile(returns, 2) + np.repeat([0, 0.01], 2),
    }
    metrics = {"seed": np.array([0, 1]), "return": np.array(returns) + 0.1}
    summary = {"train_seconds": 120.0, "diverged": diverged or {}}
    store.finish(metrics, evaluation, summary)
    return folder


def test_the_better_of_two_results_stays(tmp_path):
    kept = tmp_path / "published"
    (path,) = published.add(study(tmp_path, "a", [0.5, 0.7]), "fast", kept)
    assert path.name == "CountRecallEasy-gru-fast.json"
    assert published.add(study(tmp_path, "worse", [0.4, 0.6]), "fast", kept) == []
    assert published.read(path).final == (0.5, 0.7)
    published.add(study(tmp_path, "better", [0.8, 0.9]), "fast", kept)
    assert published.read(path).final == (0.8, 0.9)
    assert published.add(study(tmp_path, "lost", [1, 1], {"0": 3}), "fast", kept) == []


def test_the_table_says_what_was_reached(tmp_path):
    kept = tmp_path / "published"
    published.add(study(tmp_path, "a", [0.5, 0.7]), "fast", kept)
    (result,) = published.results(kept)
    line = published.markdown([result], {"CountRecallEasy": 0.61}).splitlines()[-1]
    words = [word.strip() for word in line.strip("|").split("|")]
    assert words[:7] == [
        "CountRecallEasy", "gru", "2", "0.600 ± 0.141", "0.610", "0.61 reached", "0.509 (LSTM)"
    ]  # fmt: skip
    missed = published.markdown([result], {"CountRecallEasy": 0.62})
    assert "0.62 missed" in missed


def test_beside_the_paper_within_two_standard_deviations_or_not(tmp_path):
    """CountRecallEasy: the paper's GRU has an MMER of 0.177 with a deviation of 0.005."""
    kept = tmp_path / "published"
    for returns, apart, says in (([0.08, 0.084], "+1.0", "yes"), ([0.02, 0.03], "-10.4", "below")):
        published.add(study(tmp_path, says, returns), says, kept)
        (result,) = (r for r in published.results(kept) if r.name == says)
        words = published.against_paper([result]).splitlines()[-1].strip("|").split("|")
        assert [word.strip() for word in words[4:]] == ["0.177 ± 0.005", apart, says]


def test_what_is_kept_is_whole():
    for result in published.results():
        spec = dataclasses.asdict(result)
        assert len(result.final) == len(result.greedy) == len(result.mmer) == len(result.seeds)
        assert spec["settings"]["seeds"] == len(result.seeds)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "a-gru-fast.json"
    path.write_text('{"env": "a"')
    with pytest.raises(UserError, match=r"a-gru-fast\.json is damaged"):
        published.results(tmp_path)
