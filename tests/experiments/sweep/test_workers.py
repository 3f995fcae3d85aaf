"""Cells side by side: in their order, tried again, not lost with a process, stopped by Ctrl-C."""

import io
import os
import signal
from multiprocessing import Pipe
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from experiments.results.errors import UserError
from experiments.results.store import Cell
from experiments.sweep import workers
from experiments.sweep.display import Display
from experiments.sweep.launch.resources import Launch
from experiments.sweep.run import run_cells
from experiments.sweep.workers import run_side_by_side, workers_for
from tests.support.tiny import tiny

SPECS = [tiny(hyperparams={"learning_rate": rate}) for rate in (1e-3, 2e-3, 3e-3)]
NEWS = ("news", {"stage": "training", "update": 1, "return": 0.5, "steps_per_second": 10.0})


class Scripted(workers.Worker):
    """Says of each cell what a script has for it, one answer an attempt; None: it dies."""

    def __init__(self, script, given):
        self.spec, self.script, self.given = None, script, given
        self.connection, self.theirs = Pipe()
        self.process = SimpleNamespace(
            kill=lambda: None, join=lambda *_: None, exitcode=-9, is_alive=lambda: False
        )
        self.process.terminate = lambda: given.append("terminated")

    def give(self, spec):
        self.spec = spec
        self.given.append(SPECS.index(spec))
        answer = self.script[SPECS.index(spec)].pop(0)
        if answer is None:
            self.theirs.close()
            return
        self.theirs.send(NEWS)
        if answer == "Ctrl-C":
            os.kill(os.getpid(), signal.SIGINT)
            return
        self.theirs.send((answer, "why" if answer != "finished" else ""))


def sweep(study, *script, **more):
    """Outcomes, what was given to workers in order, and what was printed."""
    console, given = Console(file=io.StringIO(), width=200), []
    script = [list(answers) for answers in script]
    with Display(study, SPECS, console) as display:
        outcomes = run_side_by_side(
            *(study, SPECS, 2, display, console.print),
            hire=lambda *_: Scripted(script, given),
            **more,
        )
    return [outcomes[spec.id] for spec in SPECS], given, console.file.getvalue()


def test_cells_are_begun_in_their_order(tmp_path):
    outcomes, given, out = sweep(tmp_path, ["finished"], ["skipped"], ["finished"])
    assert outcomes == ["finished", "skipped", "finished"] and given == [0, 1, 2]
    assert "[2/3] RepeatFirstEasy mlp  finished before" in out
    assert "[1/3] RepeatFirstEasy mlp  return 0.500" in out


def test_every_second_worker_begins_with_what_takes_longest(tmp_path):
    script = (["failed", "finished"], ["finished"], ["finished"])
    outcomes, given, _ = sweep(tmp_path, *script, both_ends=True)
    assert outcomes == ["finished"] * 3 and given == [0, 2, 1, 0]


def test_the_others_wait_until_the_first_cell_has_its_program(tmp_path, monkeypatch):
    """Two compilers at once would keep its result back."""
    monkeypatch.setitem(NEWS[1], "stage", "compiling")  # all that is heard before the first ends
    outcomes, given, _ = sweep(tmp_path, *[["finished"]] * 3, both_ends=True)
    assert outcomes == ["finished"] * 3 and given == [0, 1, 2]


def test_a_cell_that_fails_is_tried_once_more_after_the_others(tmp_path):
    script = (["failed", "failed"], ["failed", "finished"], ["finished"])
    outcomes, given, out = sweep(tmp_path, *script)
    assert outcomes == ["failed", "finished", "finished"] and given == [0, 1, 2, 0, 1]
    assert out.count("will be tried once more") == 2 and "failed: why" in out


def test_what_a_person_must_change_is_not_tried_again(tmp_path):
    outcomes, given, _ = sweep(tmp_path, ["refused"], ["finished"], ["finished"])
    assert outcomes[0] == "failed" and given == [0, 1, 2]


def test_a_cell_outlives_its_process(tmp_path):
    outcomes, given, out = sweep(tmp_path, [None, "finished"], ["finished"], ["finished"])
    assert outcomes == ["finished"] * 3 and given == [0, 1, 2, 0]
    assert "exit code -9 (killed: out of memory?)" in out
    assert "exit code -9" in Cell(tmp_path, SPECS[0]).failure()


def test_a_full_disk_ends_all(tmp_path):
    with pytest.raises(UserError, match="why"):
        sweep(tmp_path, ["stop"], ["finished"], ["finished"])


def test_ctrl_c_is_passed_on(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(Scripted, "__init__", _listed(Scripted.__init__, given))
    with pytest.raises(KeyboardInterrupt):
        sweep(tmp_path, ["finished"], ["Ctrl-C"], ["finished"])
    assert "terminated" in given[0] and 2 not in given[0]


def _listed(init, seen):
    def listed(self, script, given):
        init(self, script, given)
        seen.append(given)

    return listed


def test_as_many_at_once_as_there_are_cores_and_memory_for(monkeypatch):
    monkeypatch.setattr(workers, "cores", lambda: 4)
    monkeypatch.setattr(workers, "memory_here", lambda: 1e12)
    assert workers_for(Launch(), SPECS) == 3 and workers_for(Launch(), SPECS[:1]) == 1
    assert workers_for(Launch(workers=2), SPECS) == 2 and workers_for(None, SPECS) == 1
    monkeypatch.setattr(workers, "memory_here", lambda: 2.5e9)
    assert workers_for(Launch(), SPECS) == 2


@pytest.mark.slow
def test_side_by_side_gives_the_bits_of_one_after_another(tmp_path):
    """Each process has one core: what is computed does not depend on how many there are."""
    results = {}
    for number in (1, 2):
        study = tmp_path / str(number)
        study.mkdir()
        out, specs = io.StringIO(), [tiny(), tiny(hyperparams={"gamma": 0.5})]
        how = Launch(workers=number)
        assert run_cells(study, specs, Console(file=out, width=200), how=how) == ["finished"] * 2
        assert out.getvalue().count(" steps/s, ") == 2
        results[number] = [Cell(study, spec).read()[0] for spec in specs]
    for one, other in zip(results[1], results[2], strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
