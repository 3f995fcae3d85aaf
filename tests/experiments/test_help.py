"""`popjax --help` and that of every command explain themselves with examples, which are right."""

import re
import shlex

import pytest

from experiments.cli import COMMANDS, GROUPS, main, parse

PATHS = ["", *COMMANDS, *(f"{group} {name}" for group, kinds in GROUPS.items() for name in kinds)]


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


def test_nothing_at_all_prints_the_help(capsys):
    with pytest.raises(SystemExit):
        main([])
    assert "Example: popjax sweep" in capsys.readouterr().out
