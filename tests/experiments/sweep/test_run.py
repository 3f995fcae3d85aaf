"""Sweeps: in order, ahead of time, tried again, stopped, on a full disk, and two at once."""

import ast
import errno
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from rich.console import Console

from agents import checkpoint
from experiments.results.errors import UserError
from experiments.results.store import Cell
from experiments.sweep import run as sweep_run
from experiments.sweep.background_compiler import BackgroundCompiler
from experiments.sweep.launch import elsewhere
from experiments.sweep.launch.resources import Launch
from experiments.train import run as train_run
from experiments.train.compile import compile_program, program_code
from tests.support.tiny import tiny

SPECS = [tiny(hyperparams={"learning_rate": rate}) for rate in (1e-3, 2e-3, 3e-3)]


@pytest.fixture(scope="module")
def program():
    """The one program of all cells of this file."""
    assert len({program_code(spec) for spec in SPECS}) == 1
    return compile_program(SPECS[0])


@pytest.fixture(autouse=True)
def made(program, monkeypatch):
    """Which cells asked for a program to be made."""
    asked = []
    monkeypatch.setattr(
        sweep_run,
        "BackgroundCompiler",
        lambda: BackgroundCompiler(lambda spec: asked.append(spec) or program),
    )
    return asked


@pytest.fixture
def study(tmp_path):
    (tmp_path / "study.json").write_text("{}")
    return tmp_path


def sweep(study, specs=SPECS):
    """The outcomes, and what was printed."""
    out = io.StringIO()
    outcomes = sweep_run.run_cells(study, specs, Console(file=out, width=200))
    return outcomes, out.getvalue()


@pytest.mark.slow
def test_cells_that_differ_in_values_share_a_program(study, made):
    outcomes, out = sweep(study)
    assert outcomes == ["finished"] * 3 and len(made) == 1
    assert "3 cells" in out and "1 program to compile" in out and "3 cells finished" in out
    seconds = [Cell(study, spec).read()[2]["compile_seconds"] for spec in SPECS]
    assert seconds[0] > 0 and seconds[1:] == [0, 0]
    outcomes, out = sweep(study)
    assert outcomes == ["skipped"] * 3 and "3 finished, 0 to run" in out


def test_what_the_compiler_sees_makes_another_program():
    codes = {program_code(tiny()), program_code(tiny(memory="gru")), program_code(tiny(seeds=3))}
    codes |= {program_code(tiny(updates=4)), program_code(tiny("RepeatFirstMedium"))}
    assert len(codes) == 5
    assert program_code(tiny(first_seed=7)) == program_code(tiny())


def test_the_next_program_is_made_while_the_present_one_is_used(program):
    other, begun, used = tiny(memory="gru"), threading.Event(), threading.Event()

    def make(spec):
        if spec is other:
            begun.set()
            assert used.wait(30)
        return program

    with BackgroundCompiler(make) as ahead:
        ahead.begin(SPECS[0])
        ahead.begin(other)
        assert ahead(SPECS[0]).seconds == program.seconds
        assert begun.wait(30)
        used.set()
        assert ahead(other).trainer is program.trainer


def fail(monkeypatch, number, error=None):
    """The first `number` attempts to write the first cell's checkpoint fail."""
    save, left = checkpoint.save, [number]

    def broken(folder, step, state):
        if left[0] and SPECS[0].id in str(folder):
            left[0] -= 1
            raise error or RuntimeError("the card fell off the bus")
        save(folder, step, state)

    monkeypatch.setattr(train_run.checkpoint, "save", broken)


def test_a_failed_cell_is_tried_once_more(study, monkeypatch):
    fail(monkeypatch, 1)
    outcomes, out = sweep(study)
    assert outcomes == ["finished"] * 3
    assert "will be tried once more" in out and "3 cells finished, 0 failed" in out
    assert Cell(study, SPECS[0]).failure() is None


def test_a_cell_that_fails_twice_is_named_at_the_end(study, monkeypatch):
    fail(monkeypatch, 2)
    outcomes, out = sweep(study)
    assert outcomes == ["failed", "finished", "finished"]
    end = out.splitlines()[-3:]
    assert "2 cells finished, 1 failed" in end[0]
    assert "RepeatFirstEasy mlp: RuntimeError: the card fell off the bus" in end[1]
    assert "Traceback" in (Cell(study, SPECS[0]).folder / "failure.txt").read_text()
    outcomes, _ = sweep(study)
    assert outcomes == ["finished", "skipped", "skipped"]


def test_a_full_disk_ends_the_sweep_and_loses_nothing(study, monkeypatch):
    with monkeypatch.context() as patch:
        full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fail(patch, 9, full)
        with pytest.raises(UserError, match=r"the disk of .* is full"):
            sweep(study, [SPECS[1], SPECS[0], SPECS[2]])
    assert Cell(study, SPECS[1]).finished and not Cell(study, SPECS[2]).finished
    assert not list(study.rglob("*.tmp")) and not list(study.rglob("lock"))
    outcomes, _ = sweep(study)
    assert outcomes == ["finished", "skipped", "finished"]
    metrics = Cell(study, SPECS[0]).read()[0]
    assert sorted(metrics["update"].tolist()) == [0, 0, 1, 1]


def test_a_study_that_is_moved_away_goes_on_when_it_is_back(study, monkeypatch):
    """The sweep ends with one line, writes nothing where the study was, and no seed's update
    stands twice in the curves."""
    away, save = study.with_name("away"), checkpoint.save

    def save_and_move(folder, step, state):
        save(folder, step, state)
        if study.exists() and SPECS[1].id in str(folder):
            shutil.move(study, away)

    with monkeypatch.context() as patch:
        patch.setattr(train_run.checkpoint, "save", save_and_move)
        with pytest.raises(UserError, match="was removed or moved while the sweep ran"):
            sweep(study)
    assert not study.exists()
    shutil.move(away, study)
    outcomes, _ = sweep(study)
    assert outcomes == ["skipped", "finished", "finished"]
    metrics = Cell(study, SPECS[1]).read()[0]
    assert sorted(metrics["update"].tolist()) == [0, 0, 1, 1]


def test_ctrl_c_saves_the_segment_under_way(study, monkeypatch):
    """It comes while a segment runs: the segment is kept, and the sweep says how to go on."""
    rows = train_run._rows

    def pressed(*args):
        os.kill(os.getpid(), signal.SIGINT)
        return rows(*args)

    out = io.StringIO()
    with monkeypatch.context() as patch:
        patch.setattr(train_run, "_rows", pressed)
        with pytest.raises(KeyboardInterrupt):
            sweep_run.run_cells(study, SPECS, Console(file=out, width=200))
    assert "this segment was the last" in out.getvalue()
    assert "the same command goes on from there" in out.getvalue()
    assert checkpoint.latest(Cell(study, SPECS[0]).checkpoints) == 1
    outcomes, _ = sweep(study)
    assert outcomes == ["finished"] * 3


TOGETHER = """
import sys
from pathlib import Path

from rich.console import Console

from experiments.sweep.run import run_cells
from tests.conftest import jax
from tests.experiments.sweep.test_run import SPECS

print(run_cells(Path(sys.argv[1]), SPECS, Console(width=200)))
"""


@pytest.mark.slow
def test_two_sweeps_on_one_study_share_the_cells(study):
    """Both end with every cell finished, and each was trained by one of them."""
    command = [sys.executable, "-c", TOGETHER, str(study)]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    trained = [int(re.search(r"(\d) cells? finished, 0 failed", out)[1]) for out in said]
    assert sum(trained) == 3
    for out in said:
        outcomes = ast.literal_eval(out.splitlines()[-1])
        assert sorted(set(outcomes) | {"finished", "skipped"}) == ["finished", "skipped"]
    for spec in SPECS:
        metrics = Cell(study, spec).read()[0]
        assert sorted(metrics["update"].tolist()) == [0, 0, 1, 1]


def test_a_launcher_only_starts_cells(study, monkeypatch, program):
    """What became of each is read from its folder, whoever ran it; one that was lost is named."""

    def launch(study, specs, how, log, console):
        for spec in specs:
            if spec != SPECS[1]:
                train_run.run_cell(study, spec, compiled=lambda spec: program)
            yield

    monkeypatch.setitem(elsewhere.STARTERS, "ray", launch)
    out = io.StringIO()
    how = Launch(launcher="ray")
    outcomes = sweep_run.run_cells(study, SPECS, Console(file=out, width=200), how=how)
    assert outcomes == ["finished", "failed", "finished"]
    assert "2 cells finished, 1 failed" in out.getvalue()
    assert "its job ended without a result" in out.getvalue()
    assert sweep(study)[0] == ["skipped", "finished", "skipped"]
    for wrong, says in (("slrm", "did you mean 'slurm'"), ("inlin", "did you mean 'inline'")):
        with pytest.raises(UserError, match=says):
            Launch(launcher=wrong)
    with pytest.raises(UserError, match="whole GPUs"):
        Launch(launcher="slurm", gpus=0.5)


def test_a_process_that_slept_does_not_write_over_its_successor(study, monkeypatch, program):
    """A lock that went stale while its owner slept belongs to who took it over."""
    spec, lock = SPECS[0], Cell(study, SPECS[0]).folder / "lock"

    def robbed(news):
        if news["stage"] == "training":
            old = time.time() - 100
            lock.write_text('{"host": "elsewhere", "pid": 1}')
            os.utime(lock, (old, old))

    assert train_run.run_cell(study, spec, robbed, compiled=lambda spec: program) == "busy"
    assert len((Cell(study, spec).folder / "progress.jsonl").read_text().splitlines()) == 2
    assert lock.exists()
    assert train_run.run_cell(study, spec, compiled=lambda spec: program) == "finished"
