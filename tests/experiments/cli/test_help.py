"""`popjax --help` and that of every command explain themselves with examples, which are right."""

import re
import shlex
import subprocess
import sys

import pytest

from agents.hyperparams import Hyperparams
from agents.ranges import ranges_of
from experiments.cli.app import COMMANDS, GROUPS, found, main, parse

PATHS = [
    "",
    *COMMANDS,
    *(f"{group} {name}" for group, place in GROUPS.items() for name in found(place)),
]


def help_of(capsys, words):
    """What `popjax WORDS --help` prints."""
    with pytest.raises(SystemExit) as leave:
        main([*words.split(), "--help"])
    assert leave.value.code in (0, None)
    return capsys.readouterr().out


@pytest.mark.parametrize("words", PATHS, ids=lambda words: words or "popjax")
def test_help_shows_examples_that_parse(capsys, words):
    text = help_of(capsys, words)
    shown = re.findall(r"^Example: (.*)$", text, re.MULTILINE)
    assert shown, "no example"
    for example in shown:
        name, *argv = shlex.split(example.split(" > ")[0])
        assert name == "popjax" and " ".join(argv).startswith(words)
        assert parse(argv)
    assert ">>>" not in text, "examples of Python have no place here"


def unexplained(text):
    """The options of a help text of which only the default is said."""
    plain = re.sub(r"[│╭╮╰╯─]", "", text)
    rows = re.findall(r"^ +(--[a-z][a-z-]*)[^\n]*?(?: {2,}|\n +)(\S[^\n]*)", plain, re.MULTILINE)
    return [option for option, said in rows if said.startswith(("(default", "(required", "--"))]


def test_what_is_not_explained_is_seen():
    frame = """
│ --seeds INT          How many. (default: 3) │
│ --features INT       (default: 128)         │
│ --as STR, --regime STR                      │
│                      (default: ppo)         │
"""
    assert unexplained(frame) == ["--features", "--as"]


@pytest.mark.parametrize("words", PATHS, ids=lambda words: words or "popjax")
def test_help_explains_every_option(capsys, words):
    assert not unexplained(help_of(capsys, words))


def test_the_first_help_and_a_wrong_word_wait_for_nothing():
    """JAX takes a second to import, and is not needed to say what commands there are."""
    for words in (["--help"], ["trian"]):
        program = (
            "import sys; from experiments.cli.app import main\n"
            "try: main(sys.argv[1:])\n"
            "except SystemExit: pass\n"
            "print([name for name in ('jax', 'flax', 'duckdb') if name in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *words], capture_output=True, text=True, check=True
        )
        assert done.stdout.splitlines()[-1] == "[]", done.stdout


def test_help_tells_the_range_of_a_number_and_of_every_hyper_parameter(capsys):
    text = " ".join(re.sub(r"[│╭╮╰╯─]", "", help_of(capsys, "train")).split())
    assert "From 1 to 65,536." in text
    for name, (_, within) in ranges_of(Hyperparams).items():
        assert f"{name} {getattr(Hyperparams(), name)} ({within.words()})" in text


def test_nothing_at_all_prints_the_help(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "Example: popjax sweep" in capsys.readouterr().out
