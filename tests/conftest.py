"""Settings for all tests: how their programs are compiled, and where they are kept.

A test's program runs for a moment, so compiling it is what takes time. XLA compiles here at its
level 1, which computes nearly as fast as the usual one, and at level 0, in two thirds of the time,
for tests that compute little (on loops of many scalars, such as the laws of `popjax.floors`, level
0 is thirty times slower); there so do the programs that train, which choose level 1 by themselves.
With XLA's older emitters whole files of such tests took about two thirds of the time (a program
that trains compiles hardly sooner). Every program, however small, is kept in one cache, for the
workers and for the processes that tests start: those inherit the environment that is set here. The
caller's own `XLA_FLAGS` come last and override these.
"""

import gc
import os
import zlib
from pathlib import Path

FLAGS = (
    "--xla_backend_optimization_level=1",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
)
given = os.environ.get("XLA_FLAGS", "").split()
os.environ["XLA_FLAGS"] = " ".join([*(flag for flag in FLAGS if flag not in given), *given])
# Compiled programs are kept from run to run, beside the sources.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.abspath(".cache/jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

# Traced programs are many objects, and every full collection goes through all of a worker's.
gc.set_threshold(100_000, 20, 100)

import jax  # noqa: E402 (it reads its environment when it is imported)
import pytest  # noqa: E402

from agents.lanes import QUICK  # noqa: E402
from tests.support.browser import browser, visit  # noqa: E402, F401 (fixtures)

HERE = Path(__file__).parent
LEVEL_0 = (  # of this folder
    "agents/memory",
    "popjax/adapters",
    "popjax/test_batch.py",
    "popjax/test_envs.py",
)
SHORT = (  # here the slow tests play or train for longer, at level 1
    "agents",
    *("experiments/cli", "experiments/results", "experiments/search", "experiments/sweep"),
    "experiments/test_own_files.py",
    *("popjax/envs", "popjax/tokens", "popjax/test_render.py"),
)
LOOPS = ("popjax/envs/test_labyrinth.py",)  # its players search, scalar by scalar
# A law that holds for many is checked by default on one of each kind, and on all of them in the
# slow tests. Levels of a family differ in sizes alone, memories of a kind share their scan or form.
LEVELS = ("Medium", "Hard")
LAWS_OF_LEVELS = ("popjax/envs", "popjax/floors", "popjax/test_envs.py", "popjax/test_render.py")
MEMORIES = (
    *("mlp", "gru", "frame_stack", "transformer", "s5"),
    *("mlstm", "delta_net", "dnc", "ffm"),
)
LAWS_OF_MEMORIES = (
    *("agents/memory/test_laws.py", "agents/test_ratio.py", "agents/test_lm.py"),
    *("test_lowering.py", "experiments/train/test_widths.py", "experiments/train/test_named.py"),
)
MAPS = Path("/proc/self/maps")  # absent where the system is not Linux
MAX_MAPS = 20_000  # of 65,530 that Linux grants to a process; compilers crash beyond


def pytest_addoption(parser):
    parser.addoption(
        "--part",
        default="1/1",
        help="K/N: of all test functions every N-th, beginning with the K-th, by their names",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    for item in items:
        if not one_of_its_kind(item):
            item.add_marker("slow")
    part, parts = map(int, config.getoption("part").split("/"))
    others = [item for item in items if part_of(item, parts) != part % parts]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if part_of(item, parts) == part % parts]


def part_of(item, parts):
    """All cases of a function lie in one part: they share what they compile."""
    return zlib.crc32(item.nodeid.partition("[")[0].encode()) % parts


def one_of_its_kind(item):
    """Whether the case is checked by default: as its test says; else whatever its level or memory
    says; else it is."""
    if not hasattr(item, "callspec"):
        return True
    if chosen := item.get_closest_marker("by_default"):
        return item.callspec.id in chosen.args
    words = item.callspec.id.split("-")
    if lies_in(item, LAWS_OF_LEVELS):
        return not any(word.endswith(LEVELS) for word in words)
    if lies_in(item, LAWS_OF_MEMORIES) and "memory" in item.callspec.params:
        return words[0] in MEMORIES
    return True


def lies_in(item, names):
    return any(item.path.is_relative_to(HERE / name) for name in names)


def pytest_runtest_setup(item):
    """Programs of the files and folders `LEVEL_0` are compiled at the lowest level, as are those of
    `SHORT` unless they are slow, and of examples in the sources, but for the floors'."""
    if not item.path.is_relative_to(HERE):
        lowest = "floors" not in item.path.parts
    elif item.get_closest_marker("slow") or lies_in(item, LOOPS):
        lowest = lies_in(item, LEVEL_0)
    else:
        lowest = lies_in(item, LEVEL_0 + SHORT)
    jax.config.update("jax_disable_most_optimizations", lowest)
    QUICK["xla_backend_optimization_level"] = 0 if lowest else 1


def pytest_runtest_teardown(item, nextitem):
    """Every compiled program maps some memory, and thousands of them exhaust a process."""
    new_file = nextitem is None or nextitem.path != item.path
    if new_file and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MAX_MAPS:
        jax.clear_caches()
