"""A lock belongs to whoever renews it, and nothing in its place keeps everyone out for ever."""

import json
import os
import re
import socket
import threading
import time
from pathlib import Path

import pytest

from experiments.results import lock as locks
from experiments.results.errors import UserError
from experiments.results.lock import lock, owner
from experiments.results.spec import Settings
from experiments.search import run as search_run
from experiments.train.settings import tuned


def said(**changed):
    """The text of a lock that this process's parent holds, which is at work."""
    parent = os.getppid()
    whole = {"host": locks._host(), "pid": parent, "began": locks._began(parent), "time": 1}
    return json.dumps(whole | changed)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "lock"


def is_ours(path, seconds=0.0):
    with lock(path, seconds) as ours:
        return bool(ours)


def test_who_is_at_work_keeps_others_out(path):
    path.write_text(said())
    assert not is_ours(path) and path.read_text() == said()


@pytest.mark.parametrize(
    "changed",
    [{"pid": 2**22 + 1}, {"began": "1"}],
    ids=["its process has ended", "its number was given to another process"],
)
def test_a_process_of_this_machine_that_has_ended_loses_its_lock_at_once(path, changed):
    path.write_text(said(**changed))
    assert is_ours(path) and not path.exists()


@pytest.mark.parametrize(
    "host",
    ["elsewhere", f"{socket.gethostname()} another-boot", socket.gethostname()],
    ids=["another machine", "one of the same name", "an older version"],
)
def test_processes_of_other_machines_are_judged_by_their_renewals_alone(path, host):
    """Numbers of processes mean nothing there, even where the machine is called the same."""
    path.write_text(said(host=host, pid=2**22 + 1))
    assert not is_ours(path)
    os.utime(path, (time.time() - 100,) * 2)
    assert is_ours(path)


DAMAGED = {
    "nothing": lambda path: path.write_text(""),
    "half": lambda path: path.write_text(said()[:20]),
    "no words": lambda path: path.write_bytes(b"\xff\xfe\x00"),
    "a list": lambda path: path.write_text("[]"),
    "odd values": lambda path: path.write_text(said(pid="many", host=3)),
    "no process": lambda path: path.write_text(said(pid=-1)),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_lock_lasts_a_minute(path, monkeypatch, what):
    DAMAGED[what](path)
    assert not is_ours(path) and str(path) in owner(path)
    monkeypatch.setattr(locks, "STALE_SECONDS", 0.3)
    assert is_ours(path, seconds=5)


NO_FILES = {
    "an empty folder": lambda path: path.mkdir(),
    "a dangling link": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a file": lambda path: path.symlink_to(__file__),
    "a pipe": os.mkfifo,
}


@pytest.mark.parametrize("what", NO_FILES)
def test_what_is_no_file_is_no_lock(path, what):
    NO_FILES[what](path)
    assert is_ours(path) and Path(__file__).exists()


def test_a_folder_with_something_in_it_is_named(path):
    path.mkdir()
    (path / "mine").write_text("")
    with pytest.raises(UserError, match=re.escape(str(path))), lock(path):
        pass
    assert (path / "mine").exists()


def test_a_date_in_the_future_is_set_right(path, monkeypatch):
    """So that it grows old as any other: an hour ahead does not keep others out for an hour."""
    path.write_text(said(host="elsewhere"))
    os.utime(path, (time.time() + 3600,) * 2)
    assert not is_ours(path)
    assert path.stat().st_mtime < time.time() + 60
    monkeypatch.setattr(locks, "STALE_SECONDS", 0.3)
    assert is_ours(path, seconds=5)


def test_a_clock_that_is_wrong_robs_nobody(path, monkeypatch):
    """The age of a lock is taken from the clock of the file system."""
    path.write_text(said(host="elsewhere"))
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 1000)
    assert not is_ours(path)


def test_what_is_held_under_one_name_is_held_under_all(path, monkeypatch):
    monkeypatch.chdir(path.parent)
    with lock(path) as ours:
        assert ours and not is_ours(Path("lock"))


def test_the_owner_is_named_with_its_machine_and_the_path(path):
    path.write_text(said(host="node7 boot", pid=12))
    assert owner(path) == f"process 12 on node7 ({path})"


class Robbed:
    """A lock that another takes over after so many questions."""

    def __init__(self, questions):
        self.left = questions

    def __bool__(self):
        self.left -= 1
        return self.left >= 0


@pytest.mark.parametrize("questions", range(4))
def test_a_search_that_slept_does_not_write_over_its_successor(tmp_path, monkeypatch, questions):
    """It asks before the list of a heat, each checkpoint, the scores, and the times."""
    written = []

    def run_heat(program, plan, number, points, folder, report, check):
        check()
        written.append("checkpoint")
        return {}

    class Group:
        folder = tmp_path
        plan = type("Plan", (), {"heats": [type("Heat", (), {"name": "first"})]})

    monkeypatch.setattr(search_run, "run_heat", run_heat)
    monkeypatch.setattr(search_run.Search, "program", lambda self: None)
    for name in ("write_atomically", "write_json", "write_parquet"):
        monkeypatch.setattr(search_run, name, lambda path, data: written.append(path.name))
    (tmp_path / "heat-0.json").write_text("[]")
    run = search_run.Search(Group, {}, lambda news: None, Robbed(questions))
    if questions == 3:
        monkeypatch.setattr(search_run, "read_parquet", lambda path: {})
        run.heat(0, list)
    else:
        with pytest.raises(UserError, match=r"taken .* over"):
            run.heat(0, list)
    assert written == ["checkpoint", "heat-0.parquet", "timing.json"][:questions]


def test_settings_that_two_write_at_once_are_both_kept(tmp_path, monkeypatch):
    path, read = tmp_path / "tuned.json", tuned.read_tuned
    path.write_text("{}")

    def slowly(path):
        entries = read(path)
        time.sleep(0.3)
        return entries

    monkeypatch.setattr(tuned, "read_tuned", slowly)
    writers = [
        threading.Thread(target=tuned.write_tuned, args=(env, "gru", Settings(), "by hand", path))
        for env in ("RepeatFirstEasy", "RepeatFirstHard")
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(read(path)) == {"RepeatFirstEasy", "RepeatFirstHard"}
    assert [left.name for left in tmp_path.iterdir()] == ["tuned.json"]
