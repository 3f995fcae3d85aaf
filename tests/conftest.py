"""Settings for all tests."""

import os
from pathlib import Path

import jax

from tests.browser import browser, visit  # noqa: F401 (fixtures)

# Compiled programs are kept from run to run, beside the sources.
jax.config.update(
    "jax_compilation_cache_dir",
    os.environ.get("JAX_COMPILATION_CACHE_DIR", os.path.abspath(".cache/jax")),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)

MAPS = Path("/proc/self/maps")  # absent where the system is not Linux
MAX_MAPS = 10_000  # of 65,530 that Linux grants to a process; compilers crash beyond


def pytest_runtest_teardown(item, nextitem):
    """Every compiled program maps some memory, and thousands of them exhaust a process."""
    new_file = nextitem is None or nextitem.path != item.path
    if new_file and MAPS.exists() and MAPS.read_bytes().count(b"\n") > MAX_MAPS:
        jax.clear_caches()
