"""Settings of the whole test run.

Rank promotion raises and dtype promotion is strict, so that a shape or a dtype that
JAX would quietly widen fails a test. Float64 stays off here as it is by default: code
that needs it must ask for it itself.
"""

import atexit
import gc
import os
import shutil
import signal
import tempfile
from pathlib import Path

os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("MPLBACKEND", "Agg")

# Programs compiled once serve all processes of the run: those that share out the tests,
# and the programs that tests start. The first of them makes the folder and ends last.
if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    compiled = tempfile.mkdtemp(prefix="macjax-tests-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
    atexit.register(shutil.rmtree, compiled, ignore_errors=True)

import hypothesis
import jax
import pytest

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# A shell ignores SIGINT in what it starts in the background; tests and the programs
# that they start shall see it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine may be slow for a moment.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

# Linux gives a process 65,530 mappings, and each compiled program takes some: the
# compiler aborts when they are used up.
MOST_MAPPINGS = 15_000
MAPPINGS = Path("/proc/self/maps")


@pytest.fixture(autouse=True, scope="module")
def programs_are_let_go():
    """Compiled programs go between modules, once there are many."""
    yield
    if MAPPINGS.exists() and MAPPINGS.read_bytes().count(b"\n") > MOST_MAPPINGS:
        jax.clear_caches()
        gc.collect()
