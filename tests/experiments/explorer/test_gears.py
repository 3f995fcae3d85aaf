"""The table of gears cannot rot: what it names exists."""

import ast
import shlex
from pathlib import Path

import pytest

from experiments.cli.app import parse
from experiments.explorer.gears import Gear, gears, resolve, sentences
from popjax import FAMILIES
from tests.support.command import assert_one_line, run

ROOT = Path(__file__).parents[3]
IDS = [
    *("input", "context", "state", "output", "supervision", "objective", "episode"),
    *("architecture", "failure", "density", "corpus", "causal", "designer", "floor"),
    *("imitation", "tuning"),
]


def test_all_gears_are_there_in_order():
    assert [gear.id for gear in gears()] == IDS


@pytest.mark.parametrize("gear", gears(), ids=lambda gear: gear.id)
def test_what_a_gear_names_exists(gear):
    assert resolve(gear.module) is not None
    file, _, name = gear.test.partition("::")
    tree = ast.parse((ROOT / file).read_text("utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    program, *words = shlex.split(gear.experiment)
    assert program == "popjax" and parse(words)


def test_what_is_exact_is_called_exact_and_what_breaks_breaks():
    holds = {gear.id: gear.holds for gear in gears()}
    assert {holds[name] for name in ("input", "context", "state", "architecture")} == {"exact"}
    assert {holds[name] for name in ("supervision", "objective")} == {"analogy"}
    assert {holds[name] for name in ("corpus", "causal", "designer")} == {"breaks"}


def test_every_family_has_a_sentence_in_each_costume():
    told = {family: sentences(family) for family in FAMILIES}
    assert all(set(told[family]) == {"rl", "lm"} for family in told)
    assert len({text for pair in told.values() for text in pair.values()}) == 2 * len(FAMILIES)


def test_a_gear_without_a_caveat_or_with_another_verdict_is_refused():
    record = vars(gears()[0])
    with pytest.raises(ValueError, match="caveat is empty"):
        Gear(**record | {"caveat": ""})
    with pytest.raises(ValueError, match="which is none of"):
        Gear(**record | {"holds": "mostly"})


def test_the_command_prints_both_columns(capsys):
    code, out, _ = run(capsys, "bridge gears")
    assert code == 0
    for gear in gears():
        assert gear.concept in out and gear.holds in out
    assert "observation" in out and "token embedding" in out
    code, out, _ = run(capsys, "bridge gears --only supervision --as lm")
    assert code == 0 and "the true token" in out
    assert "agents.objectives.objective.Objective.loss" in out
    assert_one_line(capsys, "bridge gears --only supervison", "did you mean 'supervision'?")
