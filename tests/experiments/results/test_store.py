"""The result store: whole files or none, one owner a cell, clear words for damage."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments.results.errors import UserError
from experiments.results.spec import Settings
from experiments.results.store import Cell, open_study, read_parquet, write_parquet
from experiments.train.cell import cell

SPEC = cell("RepeatFirstEasy", "gru", Settings())


def test_a_table_survives_parquet_exactly(tmp_path):
    table = {
        "seed": np.array([0, 1, 1]),
        "return": np.array([0.1, np.nan, 1e-30]),
        "diverged": np.array([False, True, False]),
        "policy": np.array(["greedy", "sampled", "greedy"]),
    }
    write_parquet(tmp_path / "t.parquet", table)
    back = read_parquet(tmp_path / "t.parquet")
    assert list(back) == list(table)
    for name, column in table.items():
        np.testing.assert_array_equal(back[name], column)
    assert os.listdir(tmp_path) == ["t.parquet"]


def test_a_damaged_parquet_file_is_named(tmp_path):
    path = tmp_path / "metrics.parquet"
    path.write_bytes(b"PAR1 this is not a table")
    with pytest.raises(UserError, match=r"metrics\.parquet is damaged"):
        read_parquet(path)


def test_a_study_of_other_settings_is_kept(tmp_path):
    open_study(tmp_path, "s", {"kind": "sweep", "seeds": 2})
    open_study(tmp_path, "s", {"kind": "sweep", "seeds": 2})
    with pytest.raises(UserError, match="seeds: 2 there, 3 asked"):
        open_study(tmp_path, "s", {"kind": "sweep", "seeds": 3})


def test_a_folder_of_something_else_is_kept(tmp_path):
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.txt").write_text("mine")
    with pytest.raises(UserError, match="holds no study"):
        open_study(tmp_path, "s", {"kind": "sweep"})
    assert os.listdir(tmp_path / "s") == ["thesis.txt"]


def test_an_unwritable_place_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="cannot write to"):
        open_study(tmp_path / "file", "s", {"kind": "sweep"})


def test_a_cell_of_another_spec_is_kept(tmp_path):
    own = Cell(tmp_path, SPEC)
    own.open()
    record = json.loads((own.folder / "spec.json").read_text())
    record["spec"]["memory"] = "mlp"
    del record["checksum"]
    (own.folder / "spec.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="holds another spec"):
        own.open()


def lines(updates, seeds=SPEC.seeds):
    return [{"seed": s, "update": u, "x": u / 3} for u in updates for s in seeds]


def test_torn_and_later_lines_of_progress_are_dropped(tmp_path):
    own = Cell(tmp_path, SPEC)
    own.open()
    own.append(lines(range(4)))
    with open(own.folder / "progress.jsonl", "a") as file:
        file.write('{"seed": 0, "upd')
    assert own.rows_before(2) == lines([0, 1])
    assert own.progress() == lines([0, 1])
    own.append(lines([2]))
    assert own.rows_before(3) == lines([0, 1, 2])


def cut(number):
    return lambda text: "".join(text.splitlines(True)[:number])


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (None, "lacks 6 of the 6 lines before update 2"),
        (lambda text: "", "lacks 6 of the 6"),
        (cut(3), "lacks 3 of the 6"),
        (cut(5), "lacks 1 of the 6"),
        (lambda text: text[:-9], "lacks 1 of the 6"),
        (lambda text: text + cut(1)(text), "has 7 lines before update 2, not 6"),
        (lambda text: text.replace('"x": 0.0', '"x": 9.0', 1), "lacks 1 of the 6"),
        (lambda text: text.replace('"x"', '"y"', 1), "lacks 1 of the 6"),
        (lambda text: "[]\n7\n" * 3, "lacks 6 of the 6"),
    ],
)
def test_a_run_goes_on_only_from_every_line_below_its_checkpoint(tmp_path, damage, says):
    """Deleted, emptied, cut, repeated or changed, the lines make no curves; the file is left as it
    is."""
    own = Cell(tmp_path, SPEC)
    own.open()
    own.append(lines(range(2)))
    path = own.folder / "progress.jsonl"
    damaged = damage(path.read_text()) if damage else path.unlink()
    if damage:
        path.write_text(damaged)
    with pytest.raises(UserError, match=says) as refusal:
        own.rows_before(2)
    assert str(path) in str(refusal.value) and f"remove {own.checkpoints}" in str(refusal.value)
    assert path.exists() == bool(damage) and (not damage or path.read_text() == damaged)


def test_lines_without_a_checksum_are_those_of_older_versions(tmp_path):
    own = Cell(tmp_path, SPEC)
    own.open()
    path = own.folder / "progress.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in lines(range(2))))
    assert own.rows_before(2) == lines(range(2))


def test_a_cell_has_one_owner(tmp_path):
    """Another living process keeps its lock; a dead one's is taken over."""
    hold = (
        "import sys, time; from tests.experiments.results.test_store import SPEC, Cell\n"
        "with Cell(sys.argv[1], SPEC).lock() as ours: print(bool(ours), flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", hold, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout.readline().strip() == "True"
        with Cell(tmp_path, SPEC).lock() as ours:
            assert not ours
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    with Cell(tmp_path, SPEC).lock() as ours:
        assert ours
    assert not (tmp_path / SPEC.id / "lock").exists()


def test_a_lock_of_another_machine_goes_stale(tmp_path):
    path = tmp_path / SPEC.id / "lock"
    path.parent.mkdir()
    path.write_text(json.dumps({"host": "elsewhere", "pid": 1}))
    with Cell(tmp_path, SPEC).lock() as ours:
        assert not ours
    os.utime(path, (time.time() - 100,) * 2)
    with Cell(tmp_path, SPEC).lock() as ours:
        assert ours
