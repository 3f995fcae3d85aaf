"""`popjax bridge loop`: findings that follow from the numbers, and the command."""

import numpy as np
import pytest

from experiments.bridge.loop import conditions as loop_conditions
from experiments.bridge.loop.conditions import long
from experiments.bridge.loop.config import BANDIT_WAYS, PRESETS, LoopConfig
from experiments.bridge.loop.findings import findings
from experiments.bridge.measures.closed_loop import copied, expected_return
from experiments.results.files import stack_tables
from tests.support.command import assert_one_line, run

SMOKE = PRESETS["smoke"]
SETUP = LoopConfig(seeds=5, decks=("tiny",))


def wobbling(value, seeds):
    """Alike for all seeds, but for a little."""
    value = np.atleast_1d(np.asarray(value, float))
    return value + 1e-3 * np.arange(seeds)[:, None] * (value != 0)


def deck(seeds, h3a_copier):
    """Right at the first step, and a slip in a hundred after it."""
    error = np.where(np.arange(15) == 0, 0.0, 0.01)
    right = copied(error) if h3a_copier else 1 - error
    numbers = {
        "updates": 60,
        "return": expected_return(right),
        "undone": 0.0 if h3a_copier else 0.99,
    }
    numbers |= {"open_right": 1 - error, "closed_right": right}
    numbers |= {"open_nats": -np.log(1 - error + 1e-9), "closed_nats": -np.log(right + 1e-9)}
    shown = {name: np.tile(value, (seeds, 1)) for name, value in numbers.items()}
    return stack_tables([long(shown, stop) for stop in ("99 %", "end")])


def habits_of(seeds, earns, stayed):
    numbers = {"return": earns, "stayed": stayed, "locked": stayed, "entropy": 1 - stayed}
    return {name: wobbling(value, seeds) for name, value in numbers.items()}


def bandit(seeds, earns, stayed):
    loops = {f"{a}_{b}": np.full((seeds, 6), 0.9) for a in ("open", "closed")
             for b in ("right", "nats")}  # fmt: skip
    return long(habits_of(seeds, earns, stayed) | loops, "end")


def dreams(seeds, broken, excess):
    times = np.linspace(0, 1, 15)
    numbers = {"impossible": 0.1 * times, "broken": broken * times, "legal": 1 - broken,
               "model_nats": 1.1 + 0 * times, "bayes_nats": 1.0 + 0 * times,
               "excess": excess + 0 * times, "dealt_excess": excess + 0 * times}  # fmt: skip
    return long({name: wobbling(value, seeds) for name, value in numbers.items()}, "end")


def frontier(seeds, betas, worse):
    tables = []
    for beta in betas:
        reach = 1 / (1 + 20 * beta)
        path = np.linspace(0, 1, 6) * reach
        numbers = {"return": path, "forgotten": 0.1 * path, "kl": path}
        tables.append(long({n: wobbling(v, seeds) for n, v in numbers.items()}, f"beta {beta:g}"))
    path = np.linspace(0, 1, 6)
    numbers = {"return": path, "forgotten": worse * path, "kl": path}
    tables.append(long({n: wobbling(v, seeds) for n, v in numbers.items()}, "transcripts"))
    return stack_tables(tables)


def invented(setup, game, what, h3a_copier=True, earns=0.0, broken=0.8, excess=0.01, worse=0.3):
    """What a part would tell if all hypotheses held."""
    seeds = setup.seeds
    if game.startswith("deck"):
        return deck(seeds, h3a_copier and what == "clone")
    if game == "dreams":
        return dreams(seeds, broken, excess)
    if game == "frontier":
        return frontier(seeds, setup.betas, worse)
    if what != "players":
        earned = {"privileged": earns, "masked": 0.2, "dagger": 0.27, "rewards": 0.25}
        return bandit(seeds, earned.get(what, 0.3), 1.0 if what == "privileged" else 0.2)
    known = {"random": 0.0, "win-stay, lose-shift": 0.2, "Thompson sampling": 0.25, "best arm": 0.5}
    return stack_tables([long(habits_of(seeds, r, 0.1), name) for name, r in known.items()])


def outcomes(**changed):
    tables = {part: invented(SETUP, *part, **changed) for part in SETUP.parts}
    return {one.name: one.outcome for one in findings(tables, SETUP)}


def test_findings_follow_from_the_numbers():
    assert set(outcomes().values()) == {"holds"}
    assert outcomes(h3a_copier=False)["H3a"] == "fails"
    assert outcomes(earns=0.3)["H3b"] == "fails"
    assert outcomes(broken=0.3)["H3c"] == outcomes(excess=0.05)["H3c"] == "fails"
    assert outcomes(worse=0.05)["H3d'"] == "fails"


def test_a_part_is_made_once_and_all_of_it_stands_on_a_page(capsys, tmp_path, monkeypatch):
    made = []

    def borrowed(setup, game, what):
        made.append((game, what))
        if len(made) == 4:
            raise KeyboardInterrupt
        return invented(setup, game, what)

    monkeypatch.setattr(loop_conditions, "run_part", borrowed)
    words = f"bridge loop --preset smoke --out {tmp_path}"
    code, out, _ = run(capsys, words)
    assert code == 130 and "goes on" in out
    code, out, _ = run(capsys, words)
    assert code == 0 and "3 finished" in out and len(made) == 1 + len(SMOKE.parts)
    out = " ".join(out.split())
    assert "H3a*" in out and "believes its own guesses" in out
    page = (tmp_path / "loop" / "loop.html").read_text()
    assert page.count("<img") == 2 and all(way.title in page for way in BANDIT_WAYS.values())
    assert (tmp_path / "loop" / "loop.png").stat().st_size


def test_a_mistake_gets_one_line(capsys, tmp_path):
    words = f"bridge loop --out {tmp_path}"
    assert_one_line(capsys, f"{words} --preset min", "did you mean 'mini'?")
    assert_one_line(capsys, f"{words} --memory grue", "did you mean 'gru'?")
    assert_one_line(capsys, f"{words} --seeds 0", "--seeds takes a whole number from 1")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    "game, what", [("deck tiny", "rewards"), ("bandit", "privileged"), ("bandit", "players"),
                   ("dreams", "tiny"), ("frontier", "tuning")],
)  # fmt: skip
def test_every_part_trains(game, what):
    setup = LoopConfig(
        seeds=2, features=8, head_features=8, num_episodes=4, updates=(4, 4, 4, 4, 4),
        looks=2, judged=16, pulls=6, betas=(0.0, 0.1), decks=("tiny",),
    )  # fmt: skip
    table = loop_conditions.run_part(setup, game, what)
    assert set(table) == {"what", "stop", "seed", "t", "value"}
    assert set(table["seed"]) == {0, 1}
    assert set(table["what"]) >= set(invented(setup, game, what)["what"])
    finite = np.isfinite(table["value"])
    assert finite[table["what"] != "updates"].all()
