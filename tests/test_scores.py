"""The stored returns are those that our players earn, and the scale between them."""

import math

import numpy as np
import pytest

import popjax
from popjax.players import KINDS, PLAYERS
from popjax.scores import (
    TABLE,
    _table,
    main,
    measure,
    normalise,
    scores,
    standard_error,
    zero_of_scale,
)

NUM_EPISODES = 400
QUICK = {"RepeatFirst", "RepeatPrevious", "CountRecall", "Autoencode", "HigherLower"}

cases = [
    pytest.param(
        name, kind, marks=[] if env.name in QUICK and name.endswith("Easy") else pytest.mark.slow
    )
    for name, env in popjax.ENVS.items()
    for kind in KINDS
    if kind == "random" or env.name in PLAYERS
]


@pytest.mark.parametrize(("name", "kind"), cases)
def test_our_players_earn_what_is_stored(name, kind):
    known = scores(name)[kind]
    ours = measure(name, kind, NUM_EPISODES, seed=1)
    rounding = 2e-4
    margin = 4 * math.hypot(standard_error(ours), standard_error(known)) + rounding
    assert abs(ours["mean"] - known["mean"]) <= margin, f"measured {ours}, stored {known}"


@pytest.mark.parametrize("name", popjax.ENVS)
def test_every_environment_has_its_scores(name):
    known, (low, high) = scores(name), popjax.ENVS[name].return_bounds
    assert {"random", "memoryless", "reference"} <= set(known)
    assert known["reference"]["sees"] in ("history", "privileged")
    assert known["reference"]["best"] in ("optimal", "bound")
    for kind, entry in known.items():
        assert entry["source"] and low <= entry["mean"] <= high, kind
    assert known["random"]["mean"] <= known["memoryless"]["mean"] + 1e-3
    assert known["memoryless"]["mean"] <= known["reference"]["mean"]


@pytest.mark.parametrize("name", popjax.ENVS)
def test_the_scale_runs_from_no_memory_to_the_reference(name):
    known, zero = scores(name), zero_of_scale(name)
    assert normalise(name, known[zero]["mean"]) == pytest.approx(0)
    assert normalise(name, known["reference"]["mean"]) == pytest.approx(1)
    assert normalise(name, [known["random"]["mean"]] * 3).shape == (3,)


def test_memory_is_worth_nothing_in_some_tasks():
    """A fixed rule balances the pole by its velocities: no scale starts at that rule's return."""
    assert zero_of_scale("VelocityOnlyCartPoleEasy") == "random"
    for family in ("RepeatFirst", "RepeatPrevious", "CountRecall", "Autoencode", "HigherLower"):
        assert all(
            zero_of_scale(family + level) == "memoryless" for level in popjax.FAMILIES[family]
        )


def test_what_is_handed_out_is_a_copy():
    scores("RepeatFirstEasy")["reference"]["mean"] = 7
    assert scores("RepeatFirstEasy")["reference"]["mean"] == 1


def test_the_measuring_command(capsys):
    main(["--measure", "RepeatFirstEasy", "--episodes", "8"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["RepeatFirstEasy", k] for k in KINDS]
    assert lines[-1].split()[2] == "1.0000" and np.isclose(float(lines[-1].split()[4]), 1)


def test_what_is_stored_is_handed_out(tmp_path, monkeypatch):
    """And nothing else changes, not even the layout of the file."""
    copy = tmp_path / "scores.json"
    copy.write_text(TABLE.read_text("utf-8"), "utf-8")
    monkeypatch.setattr("popjax.scores.TABLE", copy)
    before = copy.read_text("utf-8").splitlines()
    main(["--measure", "RepeatFirstEasy", "--kinds", "random", "--episodes", "16", "--store"])
    stored = scores("RepeatFirstEasy")["random"]
    changed = [line for line in copy.read_text("utf-8").splitlines() if line not in before]
    monkeypatch.undo()
    _table.cache_clear()
    assert stored["episodes"] == 16 and stored["source"] == "popjax.players"
    assert len(changed) == 1 and scores("RepeatFirstEasy")["random"] != stored


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--measure", "RepeatFirstEasyy"], "did you mean 'RepeatFirstEasy'"),
        (["--measure", "--episodes", "0"], "at least one episode"),
        ([], "give --measure"),
    ],
)
def test_wrong_words_get_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2 and message in capsys.readouterr().err
