"""The model of a sweep: by hand where that is possible, and beside a sweep that was run."""

import io
import re
import time

import pytest
from rich.console import Console

from experiments.results.errors import UserError
from experiments.results.store import Cell
from experiments.results.tables import format_duration
from experiments.sweep import estimate as plan
from experiments.sweep import run as sweep_run
from experiments.sweep.estimate import Cost, Job, estimate, inline, read_costs, run
from experiments.sweep.forecast import BANDWIDTH, devices_of
from tests.support.command import run as command
from tests.support.tiny import tiny

JOBS = [Job("a", 4, 3.0, (10.0,), 1.0), Job("b", 4, 5.0, (4.0, 4.0), 0.5)]


def test_one_device_by_hand():
    """Alone: 3 + 10 + 1, then 5 + 2 x 4.5. Beside training, the second program costs no time."""
    alone, beside = run(JOBS, 1, beside=False), run(JOBS, 1, beside=True)
    assert alone.ends == (14.0, 28.0) and beside.ends == (14.0, 23.0)
    assert alone.shares == pytest.approx(
        {"train": 18 / 28, "evaluate": 2 / 28, "compile": 8 / 28, "start": 0, "idle": 0}
    )
    assert beside.shares["compile"] == pytest.approx(3 / 23)


def test_two_workers_share_the_queue():
    """Each takes a job; the one that ends first waits for the other."""
    outcome = run(JOBS, 2, beside=False, start=2.0, each=True)
    assert outcome.ends == (16.0, 16.0) and outcome.shares["idle"] == 0
    three = run([*JOBS, Job("c", 4, 1.0, (1.0,), 0.0)], 2, beside=False)
    assert three.seconds == 16.0 and three.shares["idle"] == pytest.approx(2 / 32)


def test_seeds_that_do_not_fill_the_devices_leave_them_idle():
    """Four seeds on eight devices take the time of one, on half the devices."""
    outcome = inline([Job("a", 4, 0.0, (8.0,), 0.0)], 8, beside=True)
    assert outcome.seconds == 2.0
    assert outcome.shares["train"] == outcome.shares["idle"] == 0.5


def test_shares_add_up():
    for devices in (1, 3, 8):
        for outcome in (inline(JOBS, devices, True, 1.0), run(JOBS, devices, True, 1.0)):
            assert sum(outcome.shares.values()) == pytest.approx(1)


def test_costs_of_unknown_cells_come_from_their_memory_and_their_environment():
    known = [
        Cost("A", "gru", "ppo", 4.0, 1e-3, 1.0),
        Cost("B", "gru", "ppo", 4.0, 2e-3, 1.0),
        Cost("A", "mlp", "ppo", 2.0, 1e-4, 1.0),
    ]
    spec = tiny(memory="gru")
    assert estimate(known, spec).compile_seconds == pytest.approx(4.0)
    assert estimate(known, spec).step_seconds == pytest.approx(1.5e-3)
    with pytest.raises(ValueError, match="no cost"):
        estimate([], spec)


@pytest.mark.slow  # by default: queues computed by hand
def test_the_model_predicts_a_sweep(tmp_path):
    """From what each cell took, compiling and training side by side, the time of the whole
    within 25 %: the order of events is right. Before, a measurement gives the order of cells."""
    (tmp_path / "study.json").write_text("{}")
    specs = [tiny(memory=memory, updates=32, num_segments=4) for memory in ("mlp", "pos_mlp")]
    console = Console(file=io.StringIO(), width=200)
    ahead = plan.make_plan(tmp_path, specs)
    assert ahead.outcome and read_costs(tmp_path, specs) == list(ahead.costs)
    order = [plan.job_of([spec], ahead.costs).seconds for spec in ahead.specs]
    assert order == sorted(order, reverse=True)

    began = time.perf_counter()
    assert sweep_run.run_cells(tmp_path, ahead.specs, console) == ["finished"] * 2
    seconds = time.perf_counter() - began
    jobs = []
    for spec in ahead.specs:
        summary = Cell(tmp_path, spec).read()[2]
        times = (summary[f"{part}_seconds"] for part in ("compile", "train", "eval"))
        compiling, training, evaluating = times
        jobs.append(Job(spec.memory, 2, compiling, (training,), evaluating))
    assert run(jobs, 1, beside=True).seconds == pytest.approx(seconds, rel=0.25)


def test_devices():
    assert devices_of("8xH100", 20.0).speed == 20 and devices_of("8 x h100", None).name == "H100"
    assert devices_of("3", None) == devices_of("3", None)
    assert devices_of("2xH100", None).speed > devices_of("2xT4", None).speed > 1
    assert devices_of("2xPotato", 3.0).number == 2
    for words in ("x", "0xH100", "H100"):
        with pytest.raises(UserError, match="such as 8xH100"):
            devices_of(words, None)
    with pytest.raises(UserError, match="did you mean 'H100'"):
        devices_of("8xH10", None)
    assert min(BANDWIDTH.values()) > 0


def test_nothing_is_trained_when_only_asked(capsys, tmp_path, monkeypatch):
    known = [Cost("RepeatFirstEasy", "mlp", "ppo", 4.0, 1e-3, 1.0)]
    monkeypatch.setattr(plan, "calibrate", lambda specs, costs: known)
    words = "sweep --envs RepeatFirstEasy --memories mlp --total-steps 16384 --features 8"
    code, out, _ = command(capsys, f"{words} --seeds 2 --plan --devices 8xH100 --out {tmp_path}")
    assert code == 0 and "1 cell in" in out and "about" in out
    assert "inline" in out and "slurm, ray" in out and "idle" in out and "--speed" in out
    assert re.search(r"published\) over \d+ \(measured here\)", out)
    assert not list(tmp_path.iterdir())


def test_durations():
    assert (
        format_duration(89) == "89 s"
        and format_duration(91) == "1.5 min"
        and format_duration(3e5) == "3.5 days"
    )
