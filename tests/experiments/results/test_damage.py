"""One damaged file of a study: it is named in one line, what to do about it helps, and no result
becomes another."""

import errno
import io
import os
import random
import re
import shutil
import time
from pathlib import Path

import jax
import numpy as np
import pytest
from rich.console import Console

import agents
from experiments.cli import train as cli_train
from experiments.reports import export, write
from experiments.results.errors import IncompleteError, UserError
from experiments.results.store import Cell, open_study
from experiments.results.study import read_study
from experiments.sweep import run as sweep_run
from experiments.sweep.background_compiler import BackgroundCompiler
from experiments.sweep.estimate import Cost, write_costs
from experiments.train.compile import compile_program
from experiments.train.run import run_cell
from tests.support.damage import damage
from tests.support.fuzz import fuzz_seed
from tests.support.tiny import tiny

SPECS = FINISHED, BEGUN = [tiny(hyperparams={"learning_rate": rate}) for rate in (1e-3, 2e-3)]
SECONDS = 20.0  # that any command may take


@pytest.fixture(scope="module")
def program():
    return compile_program(FINISHED)


@pytest.fixture(scope="module")
def study(tmp_path_factory, program):
    """One cell that is finished, and one that was stopped after its first segment."""
    folder = open_study(tmp_path_factory.mktemp("damage"), "s", {"kind": "sweep"})
    run_cell(folder, FINISHED, compiled=lambda spec: program)

    def stop(news):
        if news["stage"] == "training":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cell(folder, BEGUN, stop, compiled=lambda spec: program)
    write_costs(folder, [Cost(FINISHED.env, FINISHED.memory, "ppo", 1.0, 1e-6, 0.5)])
    return folder


@pytest.fixture(scope="module")
def right(study, tmp_path_factory, program):
    """What the commands say of the study as it is: a report, a policy, the tables at the end."""
    folder = tmp_path_factory.mktemp("right") / "s"
    shutil.copytree(study, folder)
    said = reported(folder), parameters(folder)
    run_cell(folder, BEGUN, compiled=lambda spec: program)
    return *said, [Cell(folder, spec).read()[:2] for spec in SPECS]


@pytest.fixture(autouse=True)
def quick(monkeypatch, program):
    """No program is compiled, and no figures are drawn."""
    monkeypatch.setattr(
        sweep_run, "BackgroundCompiler", lambda: BackgroundCompiler(lambda spec: program)
    )
    monkeypatch.setattr(write, "write_report", lambda folder, rows: folder / "report.html")


def reported(folder):
    rows = read_study(folder)
    return [export.as_csv("s", rows), export.as_json("s", rows)]


def parameters(folder):
    return jax.tree.map(np.asarray, agents.load(Cell(folder, FINISHED).folder).params)


def swept(folder):
    """`popjax sweep`: None if it went well, else what it said."""
    out = io.StringIO()
    try:
        console = Console(file=out, width=200, markup=False)
        cli_train.run_study(folder.parent, folder.name, {"kind": "sweep"}, SPECS, console)
    except UserError as error:
        assert error.code in (1, 2)
        return str(error)
    return None


def within_limit(command, *args):
    """What a command gives, or the one line that it says instead."""
    began = time.monotonic()
    try:
        return command(*args)
    except (UserError, agents.PolicyError) as error:
        assert "\n" not in str(error)
        return str(error)
    finally:
        assert time.monotonic() - began < SECONDS


def same(found, wanted):
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def follow(line):
    """Removes what the line says is to be removed."""
    if found := re.search(r"remove (/\S+)", line):
        path = Path(found[1].rstrip(":"))
    elif found := re.search(r"in (/\S+) is damaged or of another run", line):
        path = Path(found[1])
    else:
        path = Path(re.findall(r"(/\S+) is (?:damaged|missing)", line)[-1])
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def try_everything(folder, right):
    """All that reads a study, on one with damage; then what it says is done, until it goes well."""
    text, policy, tables = right
    found = within_limit(reported, folder)
    if Cell(folder, FINISHED).finished and not isinstance(found, str):
        assert found == text
    found = within_limit(parameters, folder)
    if not isinstance(found, str):
        same(found, policy)
    for _ in range(3):
        line = within_limit(swept, folder)
        if line is None:
            break
        follow(line)
    assert line is None, f"its advice does not help: {line}"
    same([Cell(folder, spec).read()[:2] for spec in SPECS], tables)


def fuzz(study, right, tmp_path, number, seed):
    print(f"seed {seed}")
    failures = []
    for case in range(number):
        rng = random.Random(f"{seed} {case}")
        folder = tmp_path / "s"
        shutil.copytree(study, folder)
        words = damage(folder, rng)
        try:
            try_everything(folder, right)
        except Exception as error:
            failures.append(f"case {case}, {words}: {type(error).__name__}: {error}")
        shutil.rmtree(folder)
    assert not failures, f"seed {seed}:\n" + "\n".join(failures)


@pytest.mark.slow
def test_a_damaged_file_is_named_and_changes_no_result(study, right, tmp_path):
    fuzz(study, right, tmp_path, number=10, seed=1)


@pytest.mark.slow
def test_three_hundred_damaged_files(study, right, tmp_path):
    fuzz(study, right, tmp_path, number=300, seed=fuzz_seed())


@pytest.mark.slow  # by default: damaged files are named one by one
def test_a_run_whose_progress_is_gone_is_not_gone_on_with(study, tmp_path, program):
    """The checkpoint is whole, but the curves before it are nowhere else."""
    folder = tmp_path / "s"
    shutil.copytree(study, folder)
    cell = Cell(folder, BEGUN)
    path = cell.folder / "progress.jsonl"
    for text in (None, "", path.read_text()[:40], 2 * path.read_text()):
        path.unlink() if text is None else path.write_text(text)
        with pytest.raises(UserError, match=r"progress\.jsonl is damaged .* to restart this cell"):
            run_cell(folder, BEGUN, compiled=lambda spec: program)
    assert not cell.finished


def test_a_sweep_loses_one_result_that_cannot_be_read(study, tmp_path):
    """And tells of it after the others."""
    folder = tmp_path / "s"
    shutil.copytree(study, folder)
    (Cell(folder, FINISHED).folder / "summary.json").write_text("[]")
    (folder / "costs.json").write_text("[]")
    out = io.StringIO()
    with pytest.raises(IncompleteError, match=r"results cannot be read: .*summary"):
        cli_train.run_study(
            tmp_path, "s", {"kind": "sweep"}, SPECS, Console(file=out, width=300, markup=False)
        )
    assert Cell(folder, BEGUN).finished and IncompleteError.code == 1
    lines = out.getvalue().splitlines()
    [said] = [line for line in lines if "costs.json" in line]
    assert "is damaged" in said and any(BEGUN.memory in line for line in lines)


def test_a_cell_whose_folder_cannot_be_written_is_lost_alone(study, tmp_path, monkeypatch):
    """Read-only from the second segment on; nothing can be written of why, so it is said."""
    folder = tmp_path / "s"
    shutil.copytree(study, folder)
    shutil.rmtree(Cell(folder, FINISHED).folder)
    append, fail = Cell.append, Cell.fail

    def refused(method):
        def write(cell, *args):
            if cell.spec == BEGUN:
                raise OSError(errno.EROFS, os.strerror(errno.EROFS))
            return method(cell, *args)

        return write

    monkeypatch.setattr(Cell, "append", refused(append))
    monkeypatch.setattr(Cell, "fail", refused(fail))
    out = io.StringIO()
    with pytest.raises(IncompleteError, match=r"1 of 2 cells failed .* cannot be written to"):
        cli_train.run_study(
            tmp_path, "s", {"kind": "sweep"}, SPECS[::-1], Console(file=out, width=300)
        )
    assert Cell(folder, FINISHED).finished and "Read-only file system" in out.getvalue()
