"""The wheel, installed beside its dependencies alone, works from an empty folder."""

import os
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TINY = (
    "--features 4 --head-features 4 --seeds 1 --num-envs 2 --num-steps 8 --num-epochs 1 "
    "--num-minibatches 1 --total-steps 16 --num-segments 1 --eval-episodes 2"
)
MAZE = """
from dataclasses import dataclass
from popjax.envs.repeat_first import RepeatFirst

@dataclass(frozen=True)
class Mine(RepeatFirst):
    pass
"""
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    [file] = out.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def popjax(wheel, tmp_path_factory):
    """Runs the installed command in an empty folder; its output."""
    site, folder = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("empty")
    pip = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-compile", "--quiet"]
    subprocess.run([*pip, "--target", site, wheel], check=True)
    environment = os.environ | {"PYTHONPATH": str(site)}

    def run(words):
        done = subprocess.run(
            [sys.executable, site / "bin" / "popjax", *words.split()],
            cwd=folder, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    home = subprocess.run(
        [sys.executable, "-c", "import agents, experiments, popjax; print(popjax.__file__)"],
        cwd=folder, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert home.stdout.startswith(str(site)), "not the sources beside the test"
    run.folder = folder
    return run


def test_it_holds_every_file_of_the_packages_and_nothing_else(wheel):
    command = ["git", "ls-files", "popjax", "agents", "experiments"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert inside == set(listed.split())


def test_its_metadata_say_what_it_is(wheel):
    archive = zipfile.ZipFile(wheel)
    [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
    about = Parser().parsestr(archive.read(name).decode())
    assert about["Name"] == "popjax" and about["License-Expression"] == "Apache-2.0"
    assert about["Requires-Python"] == ">=3.11" and about["Summary"]
    assert about["Description-Content-Type"] == "text/markdown"
    assert about.get_payload().startswith((ROOT / "README.md").read_text()[:100])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--help", "popjax sweep"),
        ("envs", "RepeatPreviousEasy"),
        ("memories", "gru"),
        ("published", "RepeatPrevious"),
        ("explore", "explore.html"),
        (f"train RepeatFirstEasy {TINY}", "agents.load"),
        (f"train mine:Mine {TINY}", "mine:Mine"),
        ("report train", "report.html"),
    ],
)
def test_every_command_works_from_an_empty_folder(popjax, words, says):
    (popjax.folder / "mine.py").write_text(MAZE)
    assert says in popjax(words)
