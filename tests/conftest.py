"""Settings for all tests."""

import os

import jax

# Compiled programs are kept from run to run, beside the sources.
jax.config.update(
    "jax_compilation_cache_dir",
    os.environ.get("JAX_COMPILATION_CACHE_DIR", os.path.abspath(".cache/jax")),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
