"""The page, the README and the experiments' own page state the same numbers."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.bridge.factorial.findings import slowdown
from experiments.bridge.reported import experiments, findings, numbers
from experiments.explorer import page as explorer_page
from experiments.train.objectives import REGIMES
from popjax import ENVS

ROOT = Path(__file__).parents[3]
COMPARED = (ROOT / "README.md").read_text("utf-8").partition("## Agents and language models")[2]
REPORT = (ROOT / "notebooks" / "experiments.md").read_text("utf-8")
FIGURES = json.loads((explorer_page.FIGURES / "figures.json").read_text("utf-8"))
NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?![\w])")
OTHERS = {"The same network": "lm", "The ladder": "ladder"}  # titles of what has no command


def about(text, start):
    """What a text says of each experiment, by the last word of its command: a passage begins with
    a bold title and names the command next."""
    found = {}
    for passage in re.split(start, text)[1:]:
        passage = passage.partition("\n## ")[0]
        command = re.search(r"\(`popjax bridge ([\w-]+)`", passage[:120])
        titled = [name for title, name in OTHERS.items() if passage.startswith(title)]
        for name in titled or (command and command.groups()) or ():
            found[name] = passage
    return found


IN_README, IN_REPORT = about(COMPARED, r"\n\* \*\*"), about(REPORT, r"\n\*\*")


def stated(text):
    return NUMBER.findall(re.sub(r"`[^`]*`|\]\([^)]*\)", "", text))


def is_one_of(word, known):
    """A number as it is written, or rounded to the digits it is written with."""
    digits = len(word.partition(".")[2])
    if digits == 0:
        return float(word) in known
    return any(f"{value:.{digits}f}" == word for value in known)


@pytest.mark.parametrize("name", sorted(IN_README.keys() - {"floors", "ladder"}))
def test_the_readme_states_what_was_found(name):
    known = [*numbers(name).values()]
    strange = [word for word in stated(IN_README[name]) if not is_one_of(word, known)]
    assert not strange, f"the README says {strange} of {name}, and findings.json does not"


@pytest.mark.parametrize("name", experiments())
def test_what_was_found_stands_in_the_report(name):
    there = {float(word) for word in stated(IN_REPORT[name])}
    missing = {key: value for key, value in findings(name).items() if value not in there}
    assert not missing, f"notebooks/experiments.md says nothing of {missing}"


@pytest.mark.parametrize("figure", explorer_page.figures(), ids=lambda figure: figure["file"])
def test_the_page_states_what_was_found(figure):
    known = [*numbers(figure["command"].split()[-1]).values()]
    assert stated(figure["text"]) and all(is_one_of(word, known) for word in stated(figure["text"]))
    assert "{" not in figure["text"]


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure["file"])
def test_the_pages_texts_hold_no_number_of_their_own(figure):
    assert not stated(figure["title"] + re.sub(r"\{[^}]*\}", "", figure["text"]))


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure["file"])
def test_the_pages_pictures_are_those_beside_the_report(figure):
    path = explorer_page.FIGURES / figure["file"]
    ours, theirs = (
        np.asarray(Image.open(file).convert("RGB"), float)
        for file in (path, ROOT / "notebooks" / "pictures" / path.with_suffix(".png").name)
    )
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 1.3, "more than the loss of compression"


def test_the_rungs_are_those_that_can_be_trained():
    assert {rung["name"] for rung in explorer_page.ladder()} == set(REGIMES)
    assert stated(IN_README["ladder"]) == [str(len(REGIMES))]
    assert stated(IN_README["floors"]) == [str(len(ENVS))]


def test_what_learning_without_noise_predicts_is_computed():
    found = numbers("verdict")
    for suits, predicted in (("suits", "predicted"), ("most_suits", "predicted_most")):
        assert abs(slowdown(found[suits], 0.5) - found[predicted]) < 0.05
