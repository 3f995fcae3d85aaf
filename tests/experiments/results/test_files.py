"""Files are written whole or not at all, read whole or named, and their names are no patterns."""

import io
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.cli.app import printable
from experiments.cli.report import print_rows
from experiments.explorer import page as explorer_page
from experiments.results import files
from experiments.results.errors import UserError
from experiments.results.files import read_json, read_parquet, write_json, write_parquet
from experiments.results.store import open_study
from experiments.results.study import read_study
from tests.support.command import run
from tests.support.damage import DAMAGES
from tests.support.synthetic import write_study

NAMES = ["x[1]", "x1", "seed=1", "return=0.9", "*", "a?", "[bold]x", "a[", "it's", "b\\c", "d\ne"]
TABLE = {"seed": np.array([0, 1, 1]), "return": np.array([0.25, np.nan, -0.0])}


def test_a_table_is_read_from_its_own_file(tmp_path):
    """Beside others that its name as a pattern would stand for, and in folders that look like
    columns: `x[1]` is not `x1`."""
    for number, name in enumerate(NAMES):
        (tmp_path / name).mkdir()
        write_parquet(tmp_path / name / "t.parquet", {**TABLE, "own": np.full(3, number)})
    for number, name in enumerate(NAMES):
        table = read_parquet(tmp_path / name / "t.parquet")
        assert list(table) == ["seed", "return", "own"]
        assert table["own"].tolist() == [number] * 3 and table["seed"].tolist() == [0, 1, 1]
        assert os.listdir(tmp_path / name) == ["t.parquet"]
    with pytest.raises(UserError, match="is missing"):
        read_parquet(tmp_path / "?" / "t.parquet")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return write_study(
        tmp_path_factory.mktemp("written"), "s", {"gru": 0.7}, ["RepeatPreviousEasy"], updates=4
    )


@pytest.mark.by_default("return=0.9", "a[", "x1", "it's", "b\\\\c", "d\\ne")
@pytest.mark.parametrize("name", NAMES)
def test_a_report_does_not_hang_on_the_folders_name(written, tmp_path, capsys, name):
    out = tmp_path / name
    shutil.copytree(written, out / "s")
    text = []
    for folder in (written.parent, out):
        assert run_words(["report", "s", "--format", "csv", "--out", str(folder)]) == 0
        text.append(capsys.readouterr().out)
    assert text[0] == text[1] and text[0].count("\n") == 4
    missing = ["report", "t", "--out", str(out)]
    assert run_words(missing) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and printable(str(out / "t")) in err


def run_words(words):
    from experiments.cli.app import main

    return main(words)


@pytest.mark.parametrize("name", ["[bold]x", "a[/b]", "[link=x]", ":smile:"])
def test_a_folder_is_printed_as_it_is_named(written, tmp_path, name):
    out = tmp_path / name
    shutil.copytree(written, out / "s")
    text = io.StringIO()
    console = Console(file=text, width=500)
    print_rows(out / "s", read_study(out / "s"), console, write=False)
    assert str(out / "s" / "report.html") in text.getvalue()


def test_a_study_with_a_line_break_in_its_name_is_refused(tmp_path):
    with pytest.raises(UserError, match="a plain folder name"):
        open_study(tmp_path, "a\nb", {})


def test_no_name_ends_the_pages_data(capsys):
    name = "</script><!--<script>"
    text = explorer_page.page(study={"name": name, "cells": []}, only=["RepeatFirstEasy"])
    begin = text.index('id="popjax-data">') + len('id="popjax-data">')
    data = text[begin : text.index("</script>", begin)]
    assert json.loads(data)["study"]["name"] == name and "<" not in data


@pytest.mark.parametrize("how", DAMAGES, ids=lambda how: how.__name__)
def test_damage_to_a_record_is_named(tmp_path, how):
    """Twenty times each, of a record with numbers, words and a record in it."""
    path = tmp_path / "summary.json"
    record = {"steps": 100, "words": ["a", "b"], "inner": {"rate": 0.1, "none": None}}
    for case in range(20):
        write_json(path, record)
        changed = how(path.read_bytes(), random.Random(case))
        path.unlink() if changed is None else path.write_bytes(changed)
        try:
            assert read_json(path, keys=record) == record
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)


@pytest.mark.by_default("gone", "flip", "without_key")
@pytest.mark.parametrize("how", DAMAGES, ids=lambda how: how.__name__)
def test_damage_to_a_table_is_named(tmp_path, how):
    path = tmp_path / "t.parquet"
    for case in range(20):
        write_parquet(path, TABLE)
        changed = how(path.read_bytes(), random.Random(case))
        path.unlink() if changed is None else path.write_bytes(changed)
        try:
            table = read_parquet(path)
        except UserError as error:
            assert str(path) in str(error) and "\n" not in str(error)
        else:
            for name, column in TABLE.items():
                np.testing.assert_array_equal(table[name], column)


def test_a_table_without_a_checksum_is_read_as_it_is(tmp_path):
    """Those of older versions have none."""
    import duckdb

    path = tmp_path / "t.parquet"
    duckdb.sql(f"COPY (SELECT 1 AS seed) TO '{path}' (FORMAT parquet)")
    assert read_parquet(path)["seed"].tolist() == [1]


@pytest.mark.parametrize("write", [write_parquet, write_json])
def test_what_is_there_is_on_the_disk(tmp_path, monkeypatch, write):
    """The file before it has its name, and the name before anyone goes on."""
    order = []
    fsync, replace = os.fsync, os.replace

    def settled(number):
        order.append(Path(os.readlink(f"/proc/self/fd/{number}")).suffix or "folder")
        fsync(number)

    def named(old, new):
        order.append("named")
        replace(old, new)

    monkeypatch.setattr(files.os, "fsync", settled)
    monkeypatch.setattr(files.os, "replace", named)
    write(tmp_path / "a", TABLE if write is write_parquet else {})
    assert order == [".tmp", "named", "folder"]


@pytest.mark.parametrize("write", [write_parquet, write_json])
def test_nothing_is_left_of_a_file_that_finds_no_room(tmp_path, monkeypatch, write):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write(tmp_path / "a", TABLE if write is write_parquet else {})
    assert not list(tmp_path.iterdir())


def test_a_study_whose_record_is_damaged_goes_on_without_it(written, tmp_path, capsys):
    """Its cells are named by all that decides them: the file is the one thing to remove."""
    shutil.copytree(written, tmp_path / "s")
    path, asked = tmp_path / "s" / "study.json", read_json(written / "study.json")
    path.write_text("[]")
    with pytest.raises(UserError, match=r"a list, not a dict.*: remove this file and run"):
        open_study(tmp_path, "s", asked)
    path.unlink()
    assert open_study(tmp_path, "s", asked) == tmp_path / "s"
    code, _, err = run(capsys, f"report s --format csv --out {tmp_path}")
    assert code == 0 and not err


def test_ctrl_c_in_the_first_second_gets_one_line():
    """Pressed while the command is being imported."""
    command = [sys.executable, "-m", "experiments.cli", "envs"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        maps = Path(f"/proc/{process.pid}/maps")
        while "_multiarray_umath" not in maps.read_text():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"popjax: stopped\n")
