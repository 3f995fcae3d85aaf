"""A person at the keys: in a real terminal once, and every id by the line."""

import io
import os
import re
import select
import subprocess
import sys
import time

import numpy as np
import pytest

import popjax
from popjax.keyboard import keys_of, keystrokes
from popjax.play import play

pty = pytest.importorskip("pty")  # pseudo-terminals are POSIX
termios = pytest.importorskip("termios")

TYPED = {  # as a person would, by family; the mazes, poles and suits have keys of their own
    "Autoencode": "s d c h 0",
    "Battleship": "0 0|a1|c 3|7,7|B2",
    "Concentration": "0|a1|51|c12|3",
    "CountRecall": "0|1|16|3|2",
    "HigherLower": "h l 0 1 H",
    "LabyrinthEscape": "w a s d \x1b[A",
    "LabyrinthExplore": "0 1 2 3 \x1b[D",
    "MineSweeper": "0 0|0 0|a0|0 0|0 0",
    "MultiarmedBandit": "0|9|3|3|3",
    "RepeatFirst": "s d c h 0",
    "RepeatPrevious": "s d c h 3",
}
OTHERS = {"CartPole": "a d 0 1 \x1b[C", "Pendulum": "2|-2|0|0.5|-1.25"}


def typed(name):
    family = re.sub("(Easy|Medium|Hard)$", "", name)
    told = TYPED.get(family) or next(keys for end, keys in OTHERS.items() if family.endswith(end))
    return told.split("|") if "|" in told else told.split(" ")


def sit(name, lines, **kwargs):
    """What is earned and shown when these lines are typed."""
    out = io.StringIO()
    total = play(popjax.ENVS[name], name, io.StringIO("\n".join(lines) + "\n"), out, **kwargs)
    return total, out.getvalue()


@pytest.mark.by_default(
    "HigherLowerHard",
    "VelocityOnlyCartPoleHard",
    "RepeatFirstMedium",
    "RepeatFirstHard",
    "PositionOnlyCartPoleMedium",
    "PositionOnlyCartPoleHard",
)
@pytest.mark.parametrize("name", popjax.ENVS)
def test_every_id_is_played(name):
    total, shown = sit(name, [*typed(name), "q"])
    rewards = [float(r) for r in re.findall(r"reward ([-+]\d\.\d+)", shown)]
    assert len(rewards) == 5 or "the end after" in shown, shown
    np.testing.assert_allclose(sum(rewards), total, atol=1e-3)
    assert shown.startswith(name) and "(q to leave)" in shown
    for rule in ("Observation:", "Action", "Reward", "End:"):
        assert rule in shown
    ending = shown.splitlines()[-2:]
    assert f"return {total:.4f}" in ending[0] and ending[1].startswith("best possible")


@pytest.mark.parametrize(
    ("name", "words", "action"),
    [
        ("RepeatFirstEasy", "c clubs club Clubs ♣ 2", 2),
        ("HigherLowerEasy", "l lower Lower 1", 1),
        ("PositionOnlyCartPoleEasy", "d right 1 push_right", 1),
        ("LabyrinthEscapeEasy", "w up 2", 2),
        ("ConcentrationEasy", "b2 B2 15", 15),
    ],
)
def test_what_the_board_and_the_prompt_show_is_understood(name, words, action):
    keys = keys_of(popjax.ENVS[name])
    assert {keys.read(word.replace("_", " ")) for word in words.split()} == {action}


def test_a_whole_episode_is_the_one_of_the_environment():
    """Always spades on RepeatFirst: every fourth card or so is right, or all or none."""
    total, shown = sit("RepeatFirstEasy", ["s"] * 60, seed=4)
    assert "the end after 51 steps" in shown
    assert abs(total) == pytest.approx(1.0, abs=1e-5)
    assert "best possible: 1.000 (perfect memory)" in shown


@pytest.mark.parametrize(
    ("name", "word", "says"),
    [
        ("RepeatFirstEasy", "x", "'x' is no key here: s spades, d diamonds"),
        ("RepeatFirstEasy", "4", "'4' is no key here"),
        ("CountRecallEasy", "27", "27 is not from 0 to 26"),
        ("CountRecallEasy", "two", "'two' is not a number (a whole one)"),
        ("CountRecallEasy", "1 2", "'1 2' is not a number"),
        ("BattleshipEasy", "3", "'3' is not 2 numbers"),
        ("BattleshipEasy", "3 8", "8 is not from 0 to 7"),
        ("BattleshipEasy", "j1", "9 is not from 0 to 7"),
        ("ConcentrationEasy", "e0", "4 is not from 0 to 3"),
        ("PositionOnlyPendulumEasy", "2.5", "2.5 is not from -2 to 2"),
        ("PositionOnlyPendulumEasy", "nan", "nan is not from -2 to 2"),
        ("PositionOnlyCartPoleEasy", "w", "'w' is no key here: the arrow keys or a, d"),
    ],
)
def test_a_mistake_gets_one_line_and_is_asked_again(name, word, says):
    right = typed(name)[0]
    _, shown = sit(name, [word, right])  # and the input ends
    assert [line for line in shown.splitlines() if line.startswith(says)], shown
    assert "you left after 1 step:" in shown


def test_the_seed_is_the_episode():
    one, again, other = (sit("CountRecallEasy", ["1"] * 9, seed=seed)[1] for seed in (1, 1, 2))
    assert one == again != other


def test_actions_are_of_their_space():
    for name, env in popjax.ENVS.items():
        for word in typed(name):
            action = np.asarray(keys_of(env).read(word), env.action_space.dtype)
            assert env.action_space.contains(action), (name, word)


def talk(terminal, pairs, seconds=150):
    """Types into a terminal whenever it shows a word; returns all it showed."""
    shown, asked = "", 0
    deadline = time.monotonic() + seconds
    pairs = list(pairs)
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                told = os.read(terminal, 4096)
            except OSError:  # the other side has closed
                return shown
            if not told:
                return shown
            shown += told.decode(errors="replace")
        if pairs and pairs[0][0] in shown[asked:]:
            asked = len(shown)
            os.write(terminal, pairs.pop(0)[1].encode())
    raise AssertionError(f"still waiting for {pairs} after {seconds} s:\n{shown}")


def test_the_command_in_a_real_terminal():
    ours, theirs = pty.openpty()
    command = [
        sys.executable,
        "-m",
        "experiments.cli.app",
        "play",
        "CountRecallEasy",
        "--seed",
        "3",
    ]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        ask = "(q to leave)"
        pairs = [
            ("Enter to begin", "\n"),
            (ask, "1\n"),
            ("step 1 of at most 51", "many\n"),
            ("'many' is not", "2\n"),
        ]
        shown = talk(ours, [*pairs, ("step 2 of at most 51", "q\n")])
        code = child.wait(timeout=30)
    finally:
        child.kill()
        child.wait()
        os.close(ours)
    assert code == 0
    before, after = shown.rsplit("\x1b[?1049l", 1)
    assert "reward" in before and "\x1b[?1049h" in before, "played on a screen of its own"
    assert re.search(r"you left after 2 steps: return [-+.\d]+", after)
    assert "best possible: 1.000 (perfect memory)" in after
    assert "popjax play CountRecallEasy --seed 3" in after


def test_keystrokes_of_a_terminal():
    """No Enter is needed, an arrow is one stroke, and the terminal is left as it was."""
    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        with open(theirs, closefd=False) as stream:
            os.write(ours, b"s\n")  # typed while the terminal still waits for whole lines
            strokes = keystrokes(stream)
            assert next(strokes) == "s" and next(strokes) == "\n"
            os.write(ours, b"\x1b[C\x1bOAq")
            assert [next(strokes) for _ in range(3)] == ["\x1b[C", "\x1bOA", "q"]
            strokes.close()
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)
