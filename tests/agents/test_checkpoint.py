"""A checkpoint comes back bitwise or not at all, wherever it lies."""

import random
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import struct

from agents import checkpoint
from agents.checkpoint import CheckpointError
from tests.support.damage import cut, empty, flip


class State(struct.PyTreeNode):
    params: dict
    key: jax.Array
    update: jax.Array


def state(update=4):
    return State({"w": jnp.arange(4096.0)}, jax.random.key(0), jnp.full(2, update))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole") / "checkpoint"
    checkpoint.save(folder, 4, state())
    return folder


@pytest.fixture
def folder(whole, tmp_path):
    """A copy of the checkpoint, with its sums."""
    shutil.copytree(whole.parent, tmp_path, dirs_exist_ok=True)
    return tmp_path / "checkpoint"


@pytest.mark.parametrize("name", ["a[1]", "[bold]b", "*?", "c\\d", "seed=1", "e\nf", "{g}", "%20"])
def test_the_name_of_a_folder_is_no_pattern(tmp_path, name):
    """Beside one that the name as a pattern would stand for."""
    other, own = tmp_path / "a1" / "checkpoint", tmp_path / name / "checkpoint"
    checkpoint.save(other, 2, state(2))
    checkpoint.save(own, 3, state(3))
    assert checkpoint.latest(own) == 3
    restored = checkpoint.restore(own, 3, state())
    np.testing.assert_array_equal(restored.params["w"], state().params["w"])


def test_a_changed_bit_anywhere_is_found(folder, capfd):
    """Each file in turn, with a bit changed, cut short, emptied; nothing is logged."""
    rng = random.Random(0)
    for path in sorted(path for path in folder.parent.rglob("*") if path.is_file()):
        data = path.read_bytes()
        for damaged in (flip, cut, empty) if data else ():
            path.write_bytes(damaged(data, rng))
            with pytest.raises(CheckpointError) as refusal:
                checkpoint.restore(folder, 4, state())
            assert "\n" not in str(refusal.value) and str(folder) in str(refusal.value)
        path.write_bytes(data)
    checkpoint.restore(folder, 4, state())
    assert capfd.readouterr() == ("", "")


def test_a_run_cut_off_before_its_sums_goes_on(folder):
    folder.with_name("checkpoint.json").unlink()
    restored = checkpoint.restore(folder, 4, state())
    np.testing.assert_array_equal(restored.params["w"], state().params["w"])


def test_a_checkpoint_is_of_the_update_it_is_named_by(folder):
    folder.with_name("checkpoint.json").unlink()
    (folder / "4").rename(folder / "8")
    with pytest.raises(CheckpointError, match="its state is that of update 4"):
        checkpoint.restore(folder, checkpoint.latest(folder), state())


def test_a_dict_is_of_no_update(tmp_path):
    several = {"state": state(), "returns": jnp.zeros(3)}
    checkpoint.save(tmp_path / "checkpoint", 9, several)
    restored = checkpoint.restore(tmp_path / "checkpoint", 9, several)
    np.testing.assert_array_equal(restored["returns"], np.zeros(3))


def test_a_checkpoint_of_another_run_is_refused(folder):
    other = state().replace(params={"w": jnp.zeros(8)})
    with pytest.raises(CheckpointError, match="damaged or of another run"):
        checkpoint.restore(folder, 4, other)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "checkpoint").write_text("")
    with pytest.raises(CheckpointError, match="damaged or of another run"):
        checkpoint.latest(tmp_path / "checkpoint")


def test_nothing_is_left_of_one_that_finds_no_room(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(tmp_path / "checkpoint", 4, state())
    assert not [path for path in tmp_path.rglob("*") if "tmp" in path.name]


def full(*_):
    raise OSError(28, "No space left on device")
