"""Settings for all tests: how their programs are compiled, and where they are kept.

A test's program runs for a moment, so compiling it is what takes time. XLA compiles here without
its dear optimisations, and keeps every program, however small, in one cache for the workers and
for the processes that tests start. The settings are environment variables that a child inherits;
those of the caller come last and win: `XLA_FLAGS=--xla_backend_optimization_level=3 pytest`.
"""

import os
from pathlib import Path

FLAGS = (
    "--xla_backend_optimization_level=0",
    "--xla_llvm_disable_expensive_passes=true",
    "--xla_cpu_use_fusion_emitters=false",
)
given = os.environ.get("XLA_FLAGS", "").split()
os.environ["XLA_FLAGS"] = " ".join([*(flag for flag in FLAGS if flag not in given), *given])
# Compiled programs are kept from run to run, beside the sources.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", os.path.abspath(".cache/jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax  # noqa: E402 (it reads its environment when it is imported)

from tests.browser import browser, visit  # noqa: E402, F401 (fixtures)

MAPS = Path("/proc/self/maps")  # absent where the system is not Linux
MAX_MAPS = 10_000  # of 65,530 that Linux grants to a process; compilers crash beyond


def pytest_runtest_teardown(item, nextitem):
    """Every compiled program maps some memory, and thousands of them exhaust a process."""
    new_file = nextitem is None or nextitem.path != item.path
    if new_file and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MAX_MAPS:
        jax.clear_caches()
