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

from experiments import train
from experiments.results import Cell, read_parquet
from experiments.specs import NetworkConfig, Settings, cell

SWEEP = [
    *("sweep", "--envs", "RepeatFirstEasy", "RepeatPreviousEasy", "--memories", "gru"),
    *("--total-steps", "163840", "--seeds", "2", "--features", "32", "--study", "killed"),
]


def sweep(out):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments.cli", *SWEEP, "--out", str(out)],
        stdout=subprocess.DEVNULL,
    )


def wait_for(condition, process, seconds=300):
    limit = time.time() + seconds
    while not condition():
        assert process.poll() is None, "the sweep ended before it could be killed"
        assert time.time() < limit
        time.sleep(0.02)


def test_a_killed_sweep_goes_on_to_the_same_result(tmp_path):
    """kill -9 in the middle of the second cell: the first is not run again, and the second ends
    with bitwise the metrics of a sweep that was left alone."""
    alone, killed = tmp_path / "alone", tmp_path / "killed"
    assert sweep(alone).wait() == 0
    victim = sweep(killed)

    def second_is_under_way():
        checkpoints = list(killed.glob("killed/RepeatPrevious*/checkpoint/[0-9]*"))
        return any(path.name.isdigit() for path in checkpoints)

    wait_for(second_is_under_way, victim)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    [first] = killed.glob("killed/RepeatFirst*/metrics.parquet")
    assert not list(killed.glob("killed/RepeatPrevious*/metrics.parquet"))
    before = first.stat().st_mtime_ns
    assert sweep(killed).wait() == 0
    assert first.stat().st_mtime_ns == before

    for name in ("metrics", "evaluation"):
        ours = sorted(killed.rglob(f"{name}.parquet"))
        theirs = sorted(alone.rglob(f"{name}.parquet"))
        assert len(ours) == len(theirs) == 2
        for a, b in zip(ours, theirs, strict=True):
            table_a, table_b = read_parquet(a), read_parquet(b)
            assert table_a.keys() == table_b.keys()
            for column in table_a:
                np.testing.assert_array_equal(table_a[column], table_b[column])


@pytest.fixture
def spec():
    settings = Settings(
        total_steps=32_768, seeds=3, num_segments=2, network=NetworkConfig(features=8)
    )
    return cell("RepeatFirstEasy", "gru", settings)


def test_a_diverged_lane_is_marked_and_leaves_the_others_alone(tmp_path, spec, monkeypatch):
    train.run_cell(tmp_path / "good", spec)
    hyperparams = train.lane_hyperparams

    def one_absurd_rate(spec):
        return hyperparams(spec).replace(learning_rate=jnp.array([5e-4, jnp.nan, 5e-4]))

    monkeypatch.setattr(train, "lane_hyperparams", one_absurd_rate)
    train.run_cell(tmp_path / "bad", spec)
    good, _, well = Cell(tmp_path / "good", spec).read()
    bad, evaluation, summary = Cell(tmp_path / "bad", spec).read()
    assert well["diverged"] == {} and list(summary["diverged"]) == ["1"]
    for name in good:
        others = good["seed"] != 1
        np.testing.assert_array_equal(good[name][others], bad[name][others])
    assert bad["diverged"][bad["seed"] == 1].any()
    assert np.isfinite(evaluation["return"][evaluation["seed"] != 1]).all()


def test_progress_is_written_while_it_runs(tmp_path, spec):
    seen = []

    def report(news):
        path = Cell(tmp_path, spec).folder / "progress.jsonl"
        if news["stage"] == "training":
            seen.append(len(path.read_text().splitlines()))
            assert not Cell(tmp_path, spec).finished

    assert train.run_cell(tmp_path, spec, report) == "finished"
    assert seen == [3 * spec.updates_per_segment, 3 * spec.num_updates]
    assert train.run_cell(tmp_path, spec) == "skipped"
    record = json.loads((Cell(tmp_path, spec).folder / "spec.json").read_text())
    assert record["lanes"] == 3 and record["versions"]["jax"] and record["device"]
