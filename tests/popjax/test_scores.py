"""The stored returns are those that our players earn, and the scale between them."""

import math

import numpy as np
import pytest

import popjax
from popjax.families import family_of
from popjax.players import KINDS
from popjax.scores import (
    TABLE,
    _table,
    main,
    measure,
    memory_gain,
    normalise,
    scores,
    solved,
    standard_error,
)

NUM_EPISODES = 400
QUICK = {"RepeatFirst", "RepeatPrevious", "CountRecall", "Autoencode", "HigherLower"}

cases = [
    pytest.param(
        name, kind, marks=[] if env.name in QUICK and name.endswith("Easy") else pytest.mark.slow
    )
    for name, env in popjax.ENVS.items()
    for kind in KINDS
    if kind == "random" or family_of(env).players
]


@pytest.mark.by_default("CountRecallEasy-reference", "RepeatFirstEasy-memoryless")
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
def test_zero_is_random_play_and_one_the_reference(name):
    """In every task; the best policy without memory lies between them."""
    known = {kind: scores(name)[kind]["mean"] for kind in ("random", "memoryless", "reference")}
    random, memoryless, reference = normalise(name, list(known.values()))
    assert random == pytest.approx(0) and reference == pytest.approx(1)
    assert -0.01 < memoryless < 1.01
    assert solved(name, known["reference"]) and not solved(name, known["random"])


@pytest.mark.parametrize("name", popjax.ENVS)
def test_memory_gain_runs_from_no_memory_to_the_reference(name):
    """Where memory is worth more than a tenth of the scale: else it would be noise, as in the
    labyrinths, where a return of 0 came out as -13.9."""
    known = scores(name)
    gain = memory_gain(name, [known[kind]["mean"] for kind in ("memoryless", "reference")])
    worth = 1 - normalise(name, known["memoryless"]["mean"])
    if worth > 0.1:
        assert gain == pytest.approx([0, 1])
    else:
        assert np.isnan(gain).all()


def test_memory_is_worth_next_to_nothing_in_some_tasks():
    """A fixed rule balances the pole by its velocities, and walks out of a maze."""
    blank = {name for name in popjax.ENVS if np.isnan(memory_gain(name, 0.5))}
    for family in ("LabyrinthEscape", "LabyrinthExplore", "HigherLower"):
        assert {family + level for level in popjax.FAMILIES[family]} <= blank
    assert "VelocityOnlyCartPoleEasy" in blank
    for family in ("RepeatFirst", "RepeatPrevious", "CountRecall", "Autoencode"):
        assert not blank & {family + level for level in popjax.FAMILIES[family]}


@pytest.mark.parametrize("name", popjax.ENVS)
def test_the_best_published_score_says_what_it_measures(name):
    """No other figure that we know of is above it; one read off a curve says so."""
    known = scores(name)
    best = known["published"]
    assert best["metric"] in ("MMER", "final", "not stated") and best["model"] and best["source"]
    others = [
        known[kind]["mean"] for kind in ("paper_gru", "paper_best", "ppo_gru") if kind in known
    ]
    assert best["mean"] >= max(others)
    assert round(best["mean"], best["digits"]) == best["mean"]
    assert scores("MineSweeperMedium")["published"]["mean"] == 0.06


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
