"""A sweep on a real SLURM of two nodes: every cell once, also the one whose job was requeued."""

import io
import json
import subprocess
import threading
import time

import jax
import numpy as np
import pytest
from rich.console import Console

from agents import checkpoint
from experiments.results.errors import UserError
from experiments.results.store import Cell
from experiments.sweep.launch.elsewhere import run_elsewhere
from experiments.sweep.launch.resources import Launch
from experiments.sweep.run import run_cells
from tests.support.loopback import cluster, missing
from tests.support.tiny import tiny

pytest.importorskip("submitit", reason="submitit is not installed")
pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}"),
    pytest.mark.filterwarnings("ignore"),  # submitit's, of a SLURM without accounting
]
RATES = {"learning_rate": 1e-3}, {"learning_rate": 2e-3}
SPECS = [tiny(hyperparams=rate) for rate in RATES] + [tiny(updates=80, num_segments=40)]
LONG = SPECS[-1]


def assert_same_tables(ours, theirs, specs):
    """Every seed's every update stands once in both, with the same numbers."""
    for spec in specs:
        tables = [Cell(study, spec).read()[:2] for study in (ours, theirs)]
        for a, b in zip(*tables, strict=True):
            assert a.keys() == b.keys()
            for column in a:
                np.testing.assert_array_equal(a[column], b[column], err_msg=f"{spec.id} {column}")
        rows = list(zip(tables[0][0]["seed"], tables[0][0]["update"], strict=True))
        assert len(rows) == len(set(rows)) == 2 * spec.num_updates


def share_programs(monkeypatch):
    """Workers find the programs that this process has compiled."""
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")


@pytest.mark.slow  # by default: launchers' plans and the line without SLURM
def test_cells_are_jobs_and_a_requeued_one_goes_on(tmp_path, monkeypatch):
    share_programs(monkeypatch)
    inline, study = tmp_path / "inline", tmp_path / "study"
    for folder in (inline, study):
        folder.mkdir()
    quiet = Console(file=io.StringIO(), width=200)
    assert run_cells(inline, SPECS, quiet) == ["finished"] * 3
    before = {}

    def requeue():
        """As on preemption, but without a warning: after the first segments."""
        cell, record = Cell(study, LONG), study / "slurm" / "jobs.json"
        while not (update := _latest(cell)):
            time.sleep(0.05)
        before.update(update=update, finished=cell.finished)
        job = before["job"] = json.loads(record.read_text())[LONG.id]
        before["done"] = subprocess.run(["scontrol", "requeue", job], capture_output=True)

    (tmp_path / "slurm").mkdir()
    with cluster(tmp_path / "slurm") as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        thread = threading.Thread(target=requeue, daemon=True)
        thread.start()
        console = Console(file=io.StringIO(), width=200)
        how = Launch(launcher="slurm", hours=1.0)
        outcomes = run_elsewhere(study, [LONG, *SPECS[:2]], how, (), console)
        thread.join(60)
        assert outcomes == {spec.id: "finished" for spec in SPECS}, console.file.getvalue()
        show = ["scontrol", "show", "job", before["job"]]
        told = subprocess.run(show, capture_output=True, text=True).stdout
        assert run_elsewhere(study, SPECS, how, (), quiet) == {s.id: "skipped" for s in SPECS}
    assert before["done"].returncode == 0 and not before["finished"]
    assert 0 < before["update"] < LONG.num_updates and "Restarts=1" in told
    assert_same_tables(study, inline, SPECS)
    said = console.file.getvalue()
    assert "3 jobs submitted" in said and "[3/3]" in said


def _latest(cell):
    """The last checkpoint, by the names of its folders."""
    if not cell.checkpoints.exists():
        return 0
    return max((int(p.name) for p in cell.checkpoints.iterdir() if p.name.isdigit()), default=0)


def test_without_slurm_there_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="there is no SLURM here"):
        run_elsewhere(tmp_path, SPECS, Launch(launcher="slurm"), (), Console(file=io.StringIO()))
    assert checkpoint.latest(Cell(tmp_path, LONG).checkpoints) is None
