"""Seeds dealt out to several devices: no device waits for another, and nothing else changes."""

import pytest

from tests.agents.test_sharding import in_four_devices

PROGRAM = """
import sys
from pathlib import Path

import numpy as np

import experiments.train.objectives
from agents.sharding import lane_mesh
from agents.lanes import lane_keys
from experiments.train.compile import compile_program, lane_hyperparams
from experiments.results.store import Cell
from experiments.train.run import run_cell
from tests.support.tiny import tiny

out, spec = Path(sys.argv[1]), tiny("RepeatPreviousEasy", "elman", seeds=5)
assert [lane_mesh(n) and lane_mesh(n).size for n in (1, 2, 4, 5, 8, 9)] == [None, 2, 4, 3, 4, 3]
program = compile_program(spec)
keys = program.put(lane_keys(spec.seeds)[0])
assert keys.shape == (6,) and len(keys.addressable_shards) == 3
state = program.start(keys, program.put(lane_hyperparams(spec)))
judge = program.trainer.ahead(state.params, keys)
for made in (program.start, program.advance, judge):
    for word in ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter"):
        assert word not in made.as_text(), word

def stop(news):
    if news["stage"] == "training" and news["update"]:
        raise KeyboardInterrupt

def run(name, devices, *how):
    experiments.train.objectives.lane_mesh = lane_mesh if devices > 1 else lambda lanes: None
    try:
        return run_cell(out / name, spec, *how, compiled=made_for[devices])
    except KeyboardInterrupt:
        return "stopped"

experiments.train.objectives.lane_mesh = lambda lanes: None
alone = compile_program(spec)
made_for = {1: lambda spec: alone, 4: lambda spec: program}
assert run("one", 1) == run("four", 4) == "finished"
assert run("moved", 1, stop) == "stopped" and run("moved", 4) == "finished"
assert Cell(out / "four", spec).read()[2]["devices"] == 3
tables = [Cell(out / name, spec).read()[:2] for name in ("one", "four", "moved")]
for name in ("loss", "return", "entropy", "seed", "update"):
    for other in tables[1:]:
        np.testing.assert_allclose(tables[0][0][name], other[0][name], rtol=1e-3, atol=1e-4)
for other in tables[1:]:
    np.testing.assert_array_equal(tables[0][1]["seed"], other[1]["seed"])
    np.testing.assert_allclose(
        np.mean(tables[0][1]["return"]), np.mean(other[1]["return"]), atol=0.1
    )
print("the same")
"""


@pytest.mark.slow  # by default: lanes equal single runs
def test_four_devices_train_the_seeds_that_one_does(tmp_path):
    """Five seeds on three of four devices: the same curves, from the beginning and from a
    checkpoint of one device; and no collective in what was compiled."""
    done = in_four_devices(str(tmp_path), PROGRAM)
    assert done.stdout.strip().endswith("the same"), done.stderr[-3000:]
