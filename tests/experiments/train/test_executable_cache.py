"""Programs kept whole: a later process finds its own, and computes the same bits with it."""

import json
import os
import subprocess
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from agents.memory import MEMORIES
from experiments.train import executable_cache
from tests.support.tiny import tiny

PROCESS = """
import hashlib, json, sys
import jax, numpy as np
from experiments.train import compile as programs
from experiments.train import executable_cache as kept
from experiments.train.compile import compile_program, lane_hyperparams
from tests.support.tiny import tiny

env, memory, regime = sys.argv[1:]
programs.keep_compiled_programs(whole=True)
spec = tiny(env, memory, seeds=3, regime=regime)
found = kept.read
kept.read = lambda *args: seen.append(found(*args)) or seen[-1]
seen = []
program = compile_program(spec)
hyperparams = program.put(lane_hyperparams(spec))
state = program.start(program.lane_keys(spec.seeds)[0], hyperparams)
state, metrics = program.advance(state, hyperparams)
leaves = jax.tree.leaves((state.params, metrics))
bits = hashlib.sha256(b"".join(np.asarray(leaf).tobytes() for leaf in leaves)).hexdigest()
wanted = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), program.state.params)
got = jax.tree.map(lambda leaf: ((3, *leaf.shape[1:]), leaf.dtype), state.params)
assert wanted == got
print(json.dumps({"found": seen[0] is not None, "bits": bits}))
"""


def begin(cache, env="RepeatPreviousEasy", memory="mlp", regime="ppo", devices=1):
    """A process that trains a tiny cell for a segment: whether it found its program, and what came
    out, as a hash."""
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={devices}"
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, env, memory, regime],
        env=os.environ | {"JAX_COMPILATION_CACHE_DIR": str(cache), "XLA_FLAGS": flags},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_a_second_process_finds_the_program_and_computes_the_same_bits(tmp_path):
    """And a third, which finds it damaged, makes it again."""
    first, second = begin(tmp_path), begin(tmp_path)
    assert not first["found"] and second["found"]
    (file,) = (tmp_path / "popjax").iterdir()
    file.write_bytes(file.read_bytes()[:1000])
    third = begin(tmp_path)
    assert not third["found"]
    assert first["bits"] == second["bits"] == third["bits"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    [
        {"memory": "gru", "env": "PositionOnlyPendulumEasy"},
        {"memory": "s5", "env": "CountRecallEasy", "regime": "lm"},
        {"devices": 4},
    ],
    ids=["continuous", "language model", "three of four devices"],
)
def test_so_do_other_kinds_of_programs(tmp_path, cell):
    first, second = begin(tmp_path, **cell), begin(tmp_path, **cell)
    assert not first["found"] and second["found"]
    assert first["bits"] == second["bits"]


@pytest.fixture
def folder(tmp_path):
    executable_cache.keep_in(tmp_path / "kept")
    yield tmp_path / "kept"
    executable_cache.keep_in(None)


def double():
    program = jax.jit(lambda x: 2 * x).lower(1.0).compile()
    return [program], jax.ShapeDtypeStruct((), jnp.float32)


ONE = [jax.local_devices()[:1]]


def test_a_program_in_a_file(folder):
    executable_cache.write("a", *double())
    (program,), shapes = executable_cache.read("a", ONE)
    assert program(3.0) == 6 and shapes.dtype == np.float32
    assert executable_cache.read("b", ONE) is None
    (folder / "a").write_bytes(b"no program")
    assert executable_cache.read("a", ONE) is None and not (folder / "a").exists()


def test_those_not_used_for_longest_go(folder, monkeypatch):
    monkeypatch.setattr(executable_cache, "MOST", 2)
    for age, name in enumerate("abc"):
        executable_cache.write(name, *double())
        os.utime(folder / name, (1000 + age, 1000 + age))
        executable_cache.read("a", ONE)
    assert sorted(path.name for path in folder.iterdir()) == ["a", "c"]


def test_a_folder_that_cannot_be_written_is_no_mistake(tmp_path):
    (tmp_path / "file").touch()
    executable_cache.keep_in(tmp_path / "file")
    try:
        executable_cache.write("a", *double())
        assert executable_cache.read("a", ONE) is None
    finally:
        executable_cache.keep_in(None)


def test_a_program_is_named_by_all_that_it_is_made_from(folder, monkeypatch, tmp_path):
    spec = tiny("RepeatPreviousEasy", "mlp")
    package = types.SimpleNamespace(__file__=tmp_path / "x.py")
    monkeypatch.setattr(executable_cache, "SOURCES", ((package, "*.py"),))
    (tmp_path / "x.py").write_text("a = 1")
    executable_cache.keep_in(folder)
    name = executable_cache.code_of(spec, "one update")
    assert (
        name
        == executable_cache.code_of(spec, "one update")
        != executable_cache.code_of(spec, "two updates")
    )
    monkeypatch.setenv("XLA_FLAGS", "--xla_cpu_enable_fast_math=true")
    assert executable_cache.code_of(spec, "one update") != name
    monkeypatch.undo()
    assert executable_cache.code_of(spec, "one update") == name
    (tmp_path / "x.py").write_text("a = 2")
    assert executable_cache.code_of(spec, "one update") == name, (
        "this process runs what it has imported"
    )
    monkeypatch.setattr(executable_cache, "SOURCES", ((package, "*.py"),))
    executable_cache.keep_in(folder)  # as a later process does
    assert executable_cache.code_of(spec, "one update") != name


def test_nothing_is_kept_of_sources_that_are_not_ours(folder, monkeypatch):
    """Nor unless it was asked for: in a notebook sources change while a process runs."""
    spec = tiny("RepeatPreviousEasy", "mlp")

    class Mine(MEMORIES["mlp"]):
        pass

    assert executable_cache.code_of(spec, "") is not None
    monkeypatch.setitem(MEMORIES, "mlp", Mine)
    assert executable_cache.code_of(spec, "") is None
    monkeypatch.undo()
    executable_cache.keep_in(None)
    assert executable_cache.code_of(spec, "") is None and executable_cache.read(None, ONE) is None


@pytest.mark.parametrize("what", ["folder", "file", "link"])
def test_what_others_could_have_written_is_not_run(folder, tmp_path, what):
    """A program is code: it is read only from a file and a folder that nobody else can write."""
    executable_cache.write("a", *double())
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "a").stat().st_mode & 0o777 == 0o600
    assert executable_cache.read("a", ONE) is not None
    if what == "link":
        (folder / "a").rename(tmp_path / "elsewhere")
        (folder / "a").symlink_to(tmp_path / "elsewhere")
    else:
        (folder if what == "folder" else folder / "a").chmod(0o777)
    assert executable_cache.read("a", ONE) is None
    executable_cache.write("a", *double())
    assert executable_cache.read("a", ONE) is not None


def test_what_belongs_to_another_user_is_not_run(folder, monkeypatch):
    executable_cache.write("a", *double())
    monkeypatch.setattr(os, "getuid", lambda: 4_000_000)
    assert executable_cache.read("a", ONE) is None
