"""An imitator that copies itself: the closed form, a hand-made copier, and the command."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from agents.language_agent import LanguageAgent
from experiments.bridge.loop import conditions
from experiments.bridge.loop.conditions import long
from experiments.bridge.loop.config import STOPS
from experiments.bridge.loop.copycat import reading
from experiments.bridge.loop.report import Deck, pick
from experiments.bridge.measures.closed_loop import copied, excess_error, expected_return
from experiments.bridge.measures.exposure_bias import judge
from experiments.cli.app import main
from experiments.reports.statistics import iqm
from experiments.results.files import read_parquet, stack_tables
from popjax import make

pytestmark = pytest.mark.usefixtures("quickly_compiled")

LENGTHS = {"RepeatFirstEasy": 51, "RepeatFirstMedium": 415, "RepeatFirstHard": 831}


def one_percent(length):
    """Right at the first step, and a slip in a hundred after it."""
    return np.where(np.arange(length) == 0, 0.0, 0.01)


def test_one_slip_in_a_hundred():
    """99 % right while the expert acts; alone it earns 0.59, and less than nothing in long
    episodes, where one that remembers earns 0.98."""
    for (name, length), earned in zip(LENGTHS.items(), (0.59, -0.23, -0.36), strict=True):
        assert make(name).max_steps == length
        error = one_percent(length)
        assert expected_return(copied(error)).round(2) == earned
        assert expected_return(1 - error).round(2) == 0.98
        decay = (1 - 0.04 / 3) ** np.arange(length)  # the recursion, solved
        np.testing.assert_allclose(copied(error), 0.25 + 0.75 * decay)


def test_error_in_excess_is_none_where_both_loops_are_alike():
    nats = np.array([[0.4, 0.1, 0.1], [0.2, 0.2, 0.2]])
    np.testing.assert_allclose(excess_error(nats, nats), 0.0, atol=1e-9)
    np.testing.assert_allclose(excess_error(nats, 3 * nats), 200.0)


class HandMade:
    """In a network's place, one that repeats its last action, or the first card it saw, and slips
    once in ten times; at the first step it names the card. `remembers` is its parameter."""

    def initial_carry(self, batch_size):
        return jnp.zeros((batch_size, 4))

    def apply(self, params, carry, x, start, *unread):
        def step(first, inputs):
            x, start = inputs
            shown, previous = x[:, :4], x[:, 4:8]
            first = jnp.where(start[:, None], shown, first)
            copy = jnp.where(start[:, None], shown, previous)
            return first, jnp.where(params, first, copy)

        carry, chosen = jax.lax.scan(step, carry, (x, start))
        slip = jnp.where(start, 1e-9, 0.1)[..., None]
        return carry, None, jnp.log(chosen * (1 - slip) + (1 - chosen) * slip / 3)


@pytest.mark.slow
def test_a_copier_made_by_hand_earns_what_the_formula_says():
    """And one that remembers with as many slips earns its accuracy, and undoes a slip."""
    env = make("RepeatFirstEasy")
    one = partial(judge, LanguageAgent.of(env, HandMade()), 4096)
    keys = jax.random.split(jax.random.key(0), 2)
    found = jax.jit(jax.vmap(one))(jnp.array([False, True]), keys)
    found = {name: np.asarray(leaf) for name, leaf in found.items()}
    slips = np.where(np.arange(51) == 0, 0.0, 0.1)
    np.testing.assert_allclose(found["open_right"], [1 - slips] * 2, atol=1e-5)
    expected = np.stack([copied(slips), 1 - slips])
    np.testing.assert_allclose(found["closed_right"], expected, atol=0.025)
    np.testing.assert_allclose(found["return"], expected_return(expected), atol=0.025)
    np.testing.assert_allclose(found["undone"], [0.1 / 3, 0.9], atol=1e-4)
    nats = -np.log([0.1 / 3, 0.9])
    wrong = 1 - copied(slips)[:-1]
    np.testing.assert_allclose(
        found["closed_nats"][0, 1:], wrong * nats[0] + (1 - wrong) * nats[1], atol=0.1
    )


def invented(setup, deck, what):
    """What would be measured of ways that copy, or remember if they are DAgger's or blind."""
    remembers = what in ("dagger", "blind")
    tables = []
    for level in ("", *setup.levels):
        error = one_percent(LENGTHS[level or deck])
        right = 1 - error if remembers else copied(error)
        for stop in STOPS:
            came = np.arange(setup.seeds) > 0 if stop == STOPS[0] and not remembers else True
            numbers = {
                "updates": np.where(came, 60.0, np.nan),
                "return": expected_return(right),
                "undone": 0.99 if remembers else 0.0033,
                "open_right": 1 - error,
                "closed_right": right,
                "open_nats": -np.log(1 - error + 1e-9),
                "closed_nats": -np.log(right + 1e-9),
            }
            each = {
                name: np.broadcast_to(value, setup.seeds)
                if name == "updates"
                else np.tile(np.atleast_1d(value), (setup.seeds, 1))
                for name, value in numbers.items()
            }
            tables.append(long(each, f"{stop}, {level}" if level else stop))
    return stack_tables(tables)


def command(out, words=""):
    return main(f"bridge copycat --out {out} {words}".split())


def test_a_run_that_was_stopped_goes_on(tmp_path, monkeypatch, capsys):
    """Finished runs are not trained again, and the table tells copying from remembering."""
    trained = []

    def stopped_at_the_third(setup, deck, what):
        trained.append(what)
        if len(trained) == 3:
            raise KeyboardInterrupt
        return invented(setup, deck, what)

    monkeypatch.setattr(conditions, "on_deck", stopped_at_the_third)
    assert command(tmp_path, "--seeds 3") == 130
    assert "the same command goes on" in capsys.readouterr().out
    assert command(tmp_path, "--seeds 3") == 0
    assert trained == ["clone", "memoryless", "dagger", "dagger", "blind"]
    out = capsys.readouterr().out
    assert "2 finished" in out and out.count("finished before") == 2
    for word in ("2 of 3", "0.59 [0.59, 0.59]", "-0.23 / -0.23 / 0.98", "-0.36 / -0.36 / 0.98"):
        assert word in out
    out = " ".join(out.split())
    assert "it copies. At the same open-loop accuracy" in out and "DAgger (R2) 0.98" in out
    assert command(tmp_path, "--seeds 2") == 2
    assert "seeds" in capsys.readouterr().err
    with Image.open(tmp_path / "copycat" / "copycat.png") as image:
        assert image.width > 3 * image.height
    assert (tmp_path / "copycat" / "copycat.svg").read_text().startswith("<?xml")


@pytest.mark.parametrize(
    "words, complaint",
    [
        ("--preset min", "did you mean 'mini'"),
        ("--memory grue", "did you mean 'gru'"),
        ("--seeds 0", "--seeds takes a whole number from 1"),
        ("--study a/b", "plain folder name"),
    ],
)
def test_mistakes_are_answered_in_one_line(tmp_path, capsys, words, complaint):
    assert command(tmp_path, words) == 2
    error = capsys.readouterr().err
    assert complaint in error and error.count("\n") == 1


@pytest.mark.slow  # by default: a copier made by hand
def test_a_small_network_learns_to_copy(tmp_path, capsys):
    """One without memory: what it earns is a copier's, and a second call only reads."""
    assert command(tmp_path, "--preset smoke --memory mlp --seeds 2") == 0
    out = capsys.readouterr().out
    assert "[1/1] deck RepeatFirstEasy, clone" in out and "it copies" in out
    table = read_parquet(tmp_path / "copycat" / "deck-RepeatFirstEasy-clone.parquet")
    first = Deck(table, STOPS[0])
    updates = [pick(table, "updates", stop)[:, 0] for stop in STOPS]
    assert first.came == 2 and (updates[0] < updates[1]).all()
    assert (first.open_right.mean(axis=1) > 0.98).all()
    np.testing.assert_allclose(first.returns, first.as_copier, atol=0.2)
    assert iqm(first.as_rememberer) > iqm(first.returns) + 0.1
    assert (first.undone < 0.05).all()
    assert reading({("clone", STOPS[0]): first}) in " ".join(out.split())
    assert command(tmp_path, "--preset smoke --memory mlp --seeds 2") == 0
    assert "finished before" in capsys.readouterr().out
