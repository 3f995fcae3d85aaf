"""What `popjax train` leaves behind beside numbers: the policy, and a trace if asked."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stdout

import jax
import numpy as np
import pytest

import agents
from agents import checkpoint
from experiments.cli.app import main
from experiments.train.loggers import SINKS
from tests.support.command import assert_one_line

WORDS = (
    "train RepeatFirstEasy --memory elman --features 8 --head-features 8 --seeds 2 "
    "--num-envs 8 --num-steps 16 --num-epochs 1 --num-minibatches 1 --total-steps 256 "
    "--num-segments 2 --eval-episodes 8"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a tiny trained cell, two seeds of two segments, and what was printed."""
    out = tmp_path_factory.mktemp("results")
    with redirect_stdout(io.StringIO()) as printed:
        assert main(f"{WORDS} --profile --out {out}".split()) == 0
    [cell] = out.glob("train/*/metrics.parquet")
    return cell.parent, printed.getvalue()


@pytest.mark.slow  # by default: test_policy.py
def test_the_policy_is_that_of_the_last_checkpoint(trained):
    folder, printed = trained
    step = checkpoint.latest(folder / "checkpoint")
    with checkpoint._manager(folder / "checkpoint") as manager:
        state = manager.restore(step)
    for lane, seed in enumerate((0, 1)):
        policy = agents.load(folder / "policy.npz", seed=seed)
        jax.tree.map(
            lambda ours, theirs, lane=lane: np.testing.assert_array_equal(ours, theirs[lane]),
            policy.params,
            state["params"],
        )
    carry = policy.initial_carry(3)
    carry, action = policy.act(jax.random.key(0), carry, np.zeros(3, int))
    assert action.shape == (3,) and policy.env == "RepeatFirstEasy"
    assert f'agents.load("{folder / "policy.npz"}")' in printed


@pytest.mark.slow  # by default: on one device
def test_a_checkpoint_restored_on_other_devices_gives_the_same_policy(trained, tmp_path):
    """The cell is opened again where four devices share its lanes, and ends with the same file."""
    folder, _ = trained
    shutil.copytree(folder.parent, tmp_path / "train")
    [copy] = (tmp_path / "train").glob("*/metrics.parquet")
    copy.unlink()
    (copy.parent / "policy.npz").unlink()
    flags = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4"
    subprocess.run(
        [sys.executable, "-m", "experiments.cli.app", *WORDS.split(), "--out", str(tmp_path)],
        env={**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert copy.exists()
    with (
        np.load(folder / "policy.npz") as ours,
        np.load(copy.parent / "policy.npz") as theirs,
    ):
        assert ours.files == theirs.files
        for name in ours.files:
            np.testing.assert_array_equal(ours[name], theirs[name])


@pytest.mark.slow
def test_the_trace_opens(trained):
    """One compressed JSON file of trace events, of one segment of compiled work; the words say
    where it lies."""
    folder, printed = trained
    [trace] = folder.glob("profile/plugins/profile/*/perfetto_trace.json.gz")
    assert str(trace) in printed and "ui.perfetto.dev" in printed and "xprof" in printed
    events = json.loads(gzip.decompress(trace.read_bytes()))["traceEvents"]
    assert any("while" in event.get("name", "") for event in events)
    assert trace.with_name("perfetto_trace.json.gz").stat().st_size > 1000
    assert list(trace.parent.glob("*.xplane.pb")), "what XProf reads"
    assert "profile" in SINKS


@pytest.mark.slow  # by default: a cell of one segment is refused
def test_a_finished_cell_leaves_nothing_to_trace(trained, capsys):
    out = trained[0].parent.parent
    assert_one_line(capsys, f"{WORDS} --profile --out {out}", "nothing is left to trace")


def test_a_trace_needs_a_second_segment(capsys, tmp_path):
    words = WORDS.replace("--num-segments 2", "--num-segments 1")
    assert_one_line(capsys, f"{words} --profile --out {tmp_path}", "trace is of the second segment")
