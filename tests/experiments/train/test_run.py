"""Cells: killed and resumed, diverged and marked."""

import json
import os
import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

from experiments.results.provenance import commit
from experiments.results.store import Cell
from experiments.train import run as train_run
from experiments.train.compile import compile_program
from tests.support.tiny import tiny

SPECS = [tiny("RepeatPreviousEasy", updates=40, num_segments=20, first_seed=n) for n in (0, 5)]
SWEEP = """
import sys
from pathlib import Path

from rich.console import Console

import tests.conftest
from experiments.sweep.run import run_cells
from tests.experiments.train.test_run import SPECS

run_cells(Path(sys.argv[1]), SPECS, Console())
"""


def sweep(study):
    study.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, "-c", SWEEP, str(study)], stdout=subprocess.DEVNULL)


def wait_for(condition, process, seconds=300):
    limit = time.time() + seconds
    while not condition():
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.time() < limit
        time.sleep(0.02)


@pytest.mark.slow  # by default: segments join bitwise
def test_a_killed_sweep_goes_on_to_the_same_result(tmp_path):
    """kill -9 in the middle of the second cell: the first is not run again, and the second ends
    with bitwise the metrics of a sweep that was left alone."""
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    assert sweep(alone).wait() == 0
    victim, first, second = sweep(killed), *(Cell(killed, spec) for spec in SPECS)

    def second_is_under_way():
        return any(path.name.isdigit() for path in second.folder.glob("checkpoint/[0-9]*"))

    wait_for(second_is_under_way, victim)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    assert first.finished and not second.finished
    before = (first.folder / "metrics.parquet").stat().st_mtime_ns
    assert sweep(killed).wait() == 0
    assert (first.folder / "metrics.parquet").stat().st_mtime_ns == before
    for spec in SPECS:
        tables = [Cell(study, spec).read()[:2] for study in (alone, killed)]
        for a, b in zip(*tables, strict=True):
            assert a.keys() == b.keys()
            for column in a:
                np.testing.assert_array_equal(a[column], b[column])


@pytest.fixture(scope="module")
def spec():
    return tiny(seeds=3)


@pytest.fixture(scope="module")
def compiled(spec):
    """One program for all tests of this file."""
    program = compile_program(spec)
    return lambda spec: program


@pytest.mark.slow
def test_a_diverged_lane_leaves_the_others_alone(tmp_path, spec, compiled, monkeypatch):
    train_run.run_cell(tmp_path / "good", spec, compiled=compiled)
    hyperparams = train_run.lane_hyperparams

    def one_absurd_rate(spec):
        return hyperparams(spec).replace(learning_rate=jnp.array([5e-4, jnp.nan, 5e-4]))

    monkeypatch.setattr(train_run, "lane_hyperparams", one_absurd_rate)
    train_run.run_cell(tmp_path / "bad", spec, compiled=compiled)
    good, _, well = Cell(tmp_path / "good", spec).read()
    bad, evaluation, summary = Cell(tmp_path / "bad", spec).read()
    assert well["diverged"] == {} and list(summary["diverged"]) == ["1"]
    for name in good:
        others = good["seed"] != 1
        np.testing.assert_array_equal(good[name][others], bad[name][others])
    assert bad["diverged"][bad["seed"] == 1].any()
    assert np.isfinite(evaluation["return"][evaluation["seed"] != 1]).all()


@pytest.mark.slow  # by default: test_damage.py stops a cell after a segment
def test_progress_is_written_while_it_runs(tmp_path, spec, compiled):
    seen = []

    def report(news):
        path = Cell(tmp_path, spec).folder / "progress.jsonl"
        if news["stage"] == "training":
            seen.append(len(path.read_text().splitlines()))
            assert not Cell(tmp_path, spec).finished

    assert train_run.run_cell(tmp_path, spec, report, compiled=compiled) == "finished"
    assert seen == [3 * spec.updates_per_segment, 3 * spec.num_updates]
    assert train_run.run_cell(tmp_path, spec) == "skipped"
    record = json.loads((Cell(tmp_path, spec).folder / "spec.json").read_text())
    assert record["lanes"] == 3 and record["versions"]["jax"] and record["device"]
    assert record["commit"] == commit() and "cpu" in record
    assert Cell(tmp_path, spec).read()[2]["cpu_seconds"] > 0
