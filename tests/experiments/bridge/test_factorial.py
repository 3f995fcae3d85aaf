"""`popjax bridge factorial`: six cells, one scale of competence, and theory beside them."""

import itertools
import math
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.bridge.criterion import Reached, first_reached
from experiments.bridge.decks import TINY, best_guess, best_without_memory
from experiments.bridge.factorial import conditions as factorial_conditions
from experiments.bridge.factorial.conditions import CELLS, FactorialConfig, competence, exam, rung
from experiments.bridge.factorial.findings import feedback_at_first, reading
from experiments.results.store import read_parquet
from popjax import Deck, make
from popjax.floors import code_lengths
from popjax.players import make_player, play
from tests.support.command import assert_one_line, run

pytestmark = pytest.mark.usefixtures("quickly_compiled")

ENV = TINY["RepeatPrevious"]
LABEL, SUM = ("oracle's action", "label"), ("next observation", "sum")
ACTION_BY_SUM = ("oracle's action", "sum")


def test_the_tiny_deck_is_dealt_without_replacement():
    decks = play(ENV, make_player(ENV), jax.random.key(0), 64)
    cards = np.concatenate([decks.obs, decks.next_obs[-1:]])
    assert cards.shape == (16, 64)
    assert (np.sort(cards, axis=0) == np.repeat(np.arange(4), 4)[:, None]).all()
    np.testing.assert_allclose(decks.returns, 1.0, rtol=1e-6)
    nats = math.lgamma(17) - 4 * math.lgamma(5) - math.log(4)
    np.testing.assert_allclose(code_lengths(ENV, decks), nats, rtol=1e-9)


def test_the_best_guess_of_a_deck_of_two_of_each_by_all_its_orders():
    env = make("RepeatPreviousEasy", deck=Deck(4, 2), k=3)
    orders = np.array(list(set(itertools.permutations([0, 0, 1, 1, 2, 2, 3, 3]))))
    shares, first_again = [], []
    for t in range(1, 8):
        counts = (orders[:, t:, None] == np.arange(4)).sum(axis=1)
        shares.append(counts.max(axis=1).mean() / (8 - t))
        first_again.append((orders[:, t] == (orders[:, 0] + 1) % 4).mean())
    assert best_guess(env) == pytest.approx(np.mean(shares), abs=1e-12)
    np.testing.assert_allclose(first_again, best_without_memory(env), atol=1e-12)


@pytest.mark.by_default("oracle's action")
@pytest.mark.parametrize("target", ["next observation", "oracle's action"])
def test_competence_is_one_for_the_best_and_zero_without_memory(target):
    test = exam(FactorialConfig(num_decks=4096), target)
    np.testing.assert_allclose(competence(test, test.law), 1.0, rtol=1e-6)
    another = jnp.roll(test.x[..., :4], 1, axis=-1)  # the suit after the one on the table
    np.testing.assert_allclose(competence(test, another), 0.0, atol=0.02)
    assert test.counts.sum(axis=0).tolist() == [15 if target[0] == "n" else 13] * 4096


def test_cells_differ_in_target_and_feedback_alone():
    rungs = {cell: rung(*cell) for cell in CELLS}
    assert {r.baseline for r in rungs.values() if r.scored_head} == {"constant"}, "no critic"
    assert {r.feedback for r in rungs.values()} == {"labels", "verdicts", "sum"}
    assert [r.rung for r in rungs.values()] == ["R0", "R8", "R8-sum", "R1", "R3b", "R5"]


def test_when_a_competence_is_first_reached():
    axis = np.array([[0.0, 10.0, 20.0, 40.0]] * 3)
    curves = np.array([[0, 0.4, 0.8, 0.3], [0.6, 0.2, 0.1, 0.9], [0.1, 0.2, 0.3, 0.4]])
    assert first_reached(axis, curves, 0.5).tolist() == [12.5, 0.0, np.inf]


def test_what_is_feedback_at_first():
    """Of 13 judged steps of 4 words: ln 4, and the entropies of a coin and of a sum of coins."""
    told = feedback_at_first(13)
    assert told["label"] == pytest.approx(math.log(4), rel=1e-5)
    coin = -0.25 * math.log(0.25) - 0.75 * math.log(0.75)
    assert told["verdict"] == pytest.approx(coin, rel=1e-5)
    law = [math.comb(13, n) * 0.25**n * 0.75 ** (13 - n) for n in range(14)]
    assert told["sum"] == pytest.approx(-sum(p * math.log(p) for p in law) / 13, rel=1e-4)


@pytest.mark.parametrize(
    ("label", "total", "says"),
    [
        (
            [10, 11, 12],
            [100, 110, 120],
            "the feedback costs more: the next observation by sum takes 10.0",
        ),
        ([10, 11, 12], [np.inf, 110, 120], "at least "),
        ([100, 110, 120], [10, 11, 12], "the target costs more"),
        ([10, 100, 1000], [12, 90, 1100], "inconclusive"),
        ([np.inf, 10, 11], [np.inf, 12, 13], "inconclusive"),
    ],
)
def test_the_reading_follows_from_the_numbers(label, total, says):
    at = {LABEL: np.array(label, float), SUM: np.array(total, float)}
    assert says in reading(Reached(at, dict.fromkeys(at, 2000.0)))


def test_a_mistake_gets_one_line(capsys, tmp_path):
    words = f"bridge factorial --out {tmp_path}"
    assert_one_line(capsys, f"{words} --memory grue", "did you mean 'gru'?")
    assert_one_line(capsys, f"{words} --preset smok", "did you mean 'smoke'?")
    assert_one_line(capsys, f"{words} --seeds 0", "--seeds takes a whole number from 1")
    assert not list(tmp_path.iterdir())


SMOKE = "bridge factorial --preset smoke --memory mlp --seeds 2 --out"


@pytest.mark.slow
def test_all_six_cells_train(capsys, tmp_path):
    code, out, _ = run(capsys, f"{SMOKE} {tmp_path}")
    assert code == 0 and all(name in out for name in CELLS.values())
    tables = [read_parquet(path) for path in (tmp_path / "factorial").glob("*.parquet")]
    assert len(tables) == 6
    assert all(table["environment_tokens"].max() == 20 * 8 * 15 for table in tables)
    assert len({table["supervision_nats"].max() for table in tables}) == 6


@pytest.mark.slow  # by default: other tests of this file
def test_six_cells_are_run_once(capsys, tmp_path, monkeypatch):
    """A second call reads what is there, one that finds a cell missing runs that one, and other
    settings are another study. One cell is trained, the others borrow its curves."""
    train = cache(factorial_conditions.run_cell)

    def borrowed(setup, target, feedback, watch):
        return train(setup, *ACTION_BY_SUM, list)

    monkeypatch.setattr(factorial_conditions, "run_cell", borrowed)
    words = f"{SMOKE} {tmp_path}"
    code, out, _ = run(capsys, words)
    assert code == 0 and "0 finished" in out
    for word in (*CELLS.values(), "if nats were all", "2.8 to probability 1/2", "nats per judged"):
        assert word in out
    folder = tmp_path / "factorial"
    made = {path: path.stat().st_mtime_ns for path in folder.glob("*.parquet")}
    assert {path.stem for path in made} == set(CELLS.values())
    assert (folder / "factorial.png").stat().st_size and (folder / "factorial.svg").stat().st_size

    lost = folder / "clone.parquet"
    lost.unlink()
    code, again, _ = run(capsys, words)
    assert code == 0 and "5 finished" in again and again.count("finished before") == 5
    assert all(path.stat().st_mtime_ns == made[path] for path in made if path != lost)
    assert lost.exists(), "run anew"
    other = words.replace("--seeds 2", "--seeds 3")
    assert_one_line(capsys, other, "other settings (seeds: 2 there, 3 asked)")
