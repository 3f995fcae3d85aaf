"""A sweep on a real Ray cluster of two nodes, one of which dies: every cell once."""

import io
import threading
import time

import pytest
from rich.console import Console

from experiments.results.store import Cell
from experiments.sweep.launch.elsewhere import run_elsewhere
from experiments.sweep.launch.resources import Launch
from experiments.sweep.run import run_cells
from tests.experiments.sweep.test_slurm import assert_same_tables, share_programs
from tests.support.tiny import tiny

pytest.importorskip("ray", reason="ray is not installed")
pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings
RATES = [{"learning_rate": rate} for rate in (1e-3, 2e-3, 3e-3)]
SPECS = [tiny(updates=40, num_segments=20, hyperparams=rate) for rate in RATES]


@pytest.mark.slow  # by default: launchers' plans and the line without Ray
def test_a_node_dies_and_its_cells_go_on_elsewhere(tmp_path, monkeypatch):
    from ray.cluster_utils import Cluster

    share_programs(monkeypatch)
    inline, study = tmp_path / "inline", tmp_path / "study"
    for folder in (inline, study):
        folder.mkdir()
    assert run_cells(inline, SPECS, Console(file=io.StringIO())) == ["finished"] * 3
    monkeypatch.setenv("RAY_worker_niceness", "0")
    node = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 80_000_000}
    nodes = Cluster(initialize_head=True, head_node_args=node)
    second = nodes.add_node(num_cpus=1, object_store_memory=80_000_000)
    removed = []

    def remove():
        """When both nodes are at work on a cell, and one has a checkpoint."""
        while len(list(study.glob("*/lock"))) < 2 or not list(study.glob("*/checkpoint/[0-9]*")):
            time.sleep(0.02)
        removed.append(sum(Cell(study, spec).finished for spec in SPECS))
        nodes.remove_node(second, allow_graceful=False)

    try:
        thread = threading.Thread(target=remove, daemon=True)
        thread.start()
        console = Console(file=io.StringIO(), width=200)
        how = Launch(launcher="ray", ray_address=nodes.address)
        outcomes = run_elsewhere(study, SPECS, how, (), console)
        thread.join(60)
        assert outcomes == {spec.id: "finished" for spec in SPECS}, console.file.getvalue()
        assert removed and removed[0] < 2
        assert "3 tasks on 2 nodes" in console.file.getvalue()
    finally:
        nodes.shutdown()
    assert_same_tables(study, inline, SPECS)
