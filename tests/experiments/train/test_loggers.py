"""TensorBoard and Weights & Biases are told what `progress.jsonl` says, and only if asked."""

import struct
import sys
import types

import pytest

from experiments.results.errors import UserError
from experiments.results.spec import Settings
from experiments.results.store import Cell
from experiments.train import loggers
from experiments.train.cell import cell
from experiments.train.loggers import Sinks, sink_names
from tests.support.command import assert_harmless

ROWS = [
    {"seed": 0, "update": 0, "step": 128, "loss": 0.5, "return": None, "diverged": False},
    {"seed": 1, "update": 0, "step": 128, "loss": 0.25, "return": 1.0, "diverged": False},
    {"seed": 0, "update": 1, "step": 256, "loss": 0.125, "return": -1.0, "diverged": False},
]
TOLD = [
    (128, {"loss/seed0": 0.5, "loss/seed1": 0.25, "return/seed1": 1.0}),
    (256, {"loss/seed0": 0.125, "return/seed0": -1.0}),
]


@pytest.fixture
def one(tmp_path):
    """An empty cell."""
    cell_of_study = Cell(tmp_path / "study", cell("RepeatFirstEasy", "gru", Settings(seeds=2)))
    cell_of_study.open()
    return cell_of_study


def test_all_sinks_are_told_the_same_and_closed(one, monkeypatch):
    told = {"a": [], "b": []}

    class Listener:
        def __init__(self, name):
            self.name = name

        def write(self, step, values):
            told[self.name].append((step, values))

        def close(self):
            told[self.name].append("closed")

    monkeypatch.setattr(
        loggers, "SINKS", {"a": lambda cell: Listener("a"), "b": lambda cell: Listener("b")}
    )
    with pytest.raises(ZeroDivisionError), Sinks(("a", "b"), one) as both:
        both.tell(ROWS)
        raise ZeroDivisionError
    assert told == {"a": [*TOLD, "closed"], "b": [*TOLD, "closed"]}


def test_tensorboard_files_hold_the_numbers(one):
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    with Sinks(("tensorboard",), one) as told:
        told.tell(ROWS)
    [path] = (one.folder / "tensorboard").iterdir()
    data, read = path.read_bytes(), {}
    while data:  # a record: its length, a checksum, the event, a checksum
        (length,) = struct.unpack("<Q", data[:8])
        event, data = event_pb2.Event.FromString(data[12 : 12 + length]), data[16 + length :]
        for value in event.summary.value:
            read.setdefault(event.step, {})[value.tag] = value.simple_value
    assert list(read.items()) == TOLD


def test_wandb_gets_one_run_a_cell_that_can_go_on(one, monkeypatch):
    calls = []

    class Run:
        def define_metric(self, name, step_metric):
            calls.append(("define", name, step_metric))

        def log(self, values):
            calls.append(("log", values))

        def finish(self):
            calls.append("finish")

    def init(**given):
        calls.append(("init", given))
        return Run()

    monkeypatch.setitem(sys.modules, "wandb", types.SimpleNamespace(init=init))
    with Sinks(("wandb",), one) as told:
        told.tell(ROWS)
    (_, given), define, *logged, end = calls
    assert given["id"] == one.spec.id and given["resume"] == "allow"
    assert given["group"] == "study" and given["config"]["env"] == "RepeatFirstEasy"
    assert define == ("define", "*", "env_steps")
    assert logged == [("log", {"env_steps": step, **values}) for step, values in TOLD]
    assert end == "finish"


def test_a_missing_package_is_missed_before_anything_begins(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "wandb", None)
    words = "train RepeatFirstEasy --log wandb"
    assert_harmless(capsys, monkeypatch, tmp_path, words, 'pip install "popjax[wandb]"')


def test_a_missing_package_is_named_with_its_cure(one, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UserError, match=r"pip install .popjax\[wandb\]"):
        Sinks(("wandb",), one)


def test_a_wrong_name_gets_the_nearest(capsys, monkeypatch, tmp_path):
    says = "no log is called 'tensorbord': did you mean 'tensorboard'?"
    words = "train RepeatFirstEasy --log tensorbord"
    assert_harmless(capsys, monkeypatch, tmp_path, words, says)
    assert sink_names(["profile", "profile"]) == ("profile",)
